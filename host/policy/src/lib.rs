//! Gates written in Rhai: facts, packs, decisions
