//! A host that has nothing but wasmtime: it makes an instance, asks it the same as Sluice does, and
//! checks none of what it answers.

use serde_json::Value as Json;
use sluice_model::content;
use sluice_plugin::RenderInput;
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contract"
)]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit/1.0",
        world: "data-source-with-probe",
        imports: { default: trappable },
        with: { "sluice:plugin/secrets.credentials": super::Nothing },
    });
}

use generated::exports::sluice::plugin::transforming::{Source, Transformed};
use generated::sluice::plugin::types::{Environment, Kind, OptionLeaf, Part, Scalar, Value};
use generated::sluice::plugin::{log, net, secrets, types};
use generated::{DataSourceWithProbe, DataSourceWithProbePre};

/// What credentials are here.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated module exports it again")]
pub struct Nothing;

#[derive(Default)]
struct State(ResourceTable);

impl types::Host for State {}
impl secrets::Host for State {}

impl secrets::HostCredentials for State {
    fn slots(&mut self, _: Resource<Nothing>) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn drop(&mut self, of: Resource<Nothing>) -> wasmtime::Result<()> {
        self.0.delete(of)?;
        Ok(())
    }
}

impl net::Host for State {
    fn reach(&mut self, _: String, _: u16, _: net::Tls) -> wasmtime::Result<Result<(), net::Failure>> {
        Ok(Err(net::Failure::NotGranted))
    }

    fn http(
        &mut self,
        _: Resource<Nothing>,
        _: net::Request,
        _: Vec<net::Placed>,
    ) -> wasmtime::Result<Result<net::Response, net::Failure>> {
        Ok(Err(net::Failure::NotGranted))
    }
}

impl log::Host for State {
    fn write(&mut self, _: log::Level, _: String) -> wasmtime::Result<()> {
        Ok(())
    }
}

pub(crate) struct Plain {
    engine: Engine,
    instances: DataSourceWithProbePre<State>,
    limited: bool,
}

impl Plain {
    /// A host for one plugin, with the same pool, and, if asked, with what counts and interrupts.
    pub(crate) fn new(component: &[u8], limited: bool) -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(16)
            .total_core_instances(16 * 48)
            .total_memories(48)
            .total_tables(16 * 48)
            .max_memory_size(64 << 20)
            .linear_memory_keep_resident(128 << 10)
            .table_keep_resident(16 << 10)
            .pagemap_scan(wasmtime::Enabled::Auto);
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .concurrency_support(false)
            .consume_fuel(limited)
            .epoch_interruption(limited)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).unwrap();
        let mut linker = Linker::new(&engine);
        DataSourceWithProbe::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).unwrap();
        let component = Component::from_binary(&engine, component).unwrap();
        let instances = DataSourceWithProbePre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
        Self { engine, instances, limited }
    }

    /// Asks what Sluice asks, of a fresh instance.
    pub(crate) fn render(&self, source: &Source, binding: &[OptionLeaf]) -> Transformed {
        let mut store = Store::new(&self.engine, State::default());
        if self.limited {
            store.set_fuel(500_000_000).unwrap();
            store.set_epoch_deadline(1_000);
        }
        let guest = self.instances.instantiate(&mut store).unwrap();
        let guest = guest.sluice_plugin_transforming().rendering();
        let rendering = guest.call_constructor(&mut store, source).unwrap();
        guest.call_validate(&mut store, rendering).unwrap().unwrap();
        let environment = |name: &str, order| Environment { name: name.to_owned(), order };
        let (from, to) = (environment("development", 0), environment("staging", 1));
        let transformed = guest.call_transform(&mut store, rendering, &from, &to, binding).unwrap().unwrap();
        let offered = ["password", "ca-cert", "ssh-private-key"]
            .map(|label| secrets::Candidate { label: label.to_owned(), age_days: 3 });
        let slots = ["password".to_owned()];
        guest.call_remap_credentials(&mut store, rendering, &slots, &offered).unwrap().unwrap();
        transformed
    }
}

/// The same data source as Sluice is given.
pub(crate) fn source(input: &RenderInput) -> Source {
    let kind = &input.source.kind;
    Source {
        logical_id: input.source.logical_id.to_string(),
        name: input.source.name.clone(),
        kind: Kind { platform: kind.platform.clone(), name: kind.name.clone() },
        options: leaves(&input.source.options),
    }
}

pub(crate) fn leaves(options: &Json) -> Vec<OptionLeaf> {
    let mut leaves = Vec::new();
    add(options, String::new(), &mut leaves);
    leaves.sort_by(|a, b| a.at.cmp(&b.at));
    leaves
}

fn add(value: &Json, at: String, leaves: &mut Vec<OptionLeaf>) {
    let scalar = match value {
        Json::Object(members) if content::parts(value).is_none() => {
            return members.iter().for_each(|(key, member)| add(member, format!("{at}/{key}"), leaves));
        }
        Json::Object(_) => {
            let parts = content::parts(value).unwrap().into_iter().map(|part| match part {
                content::Part::Text(text) => Part::Literal(text),
                content::Part::Slot(slot) | content::Part::Provisional(slot) => Part::Slot(slot.to_string()),
            });
            let value = Value::Composed(parts.collect());
            return leaves.push(OptionLeaf { at, value });
        }
        Json::Bool(flag) => Scalar::Flag(*flag),
        Json::Number(number) => Scalar::Number(number.as_f64().unwrap()),
        Json::String(text) => Scalar::Text(text.clone()),
        other => panic!("no option here is {other}"),
    };
    leaves.push(OptionLeaf { at, value: Value::Plain(scalar) });
}
