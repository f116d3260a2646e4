//! Host of sandboxed data-source plugins
