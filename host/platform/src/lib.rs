//! Native exports of low-code platforms, to objects and back
