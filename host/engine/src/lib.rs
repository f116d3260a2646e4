//! Closure, plan, gates, apply, verify: one promotion from end to end
