//! Limits memory: reading a hostile file of kilobytes must not use as much as a model of megabytes.
//!
//! libFuzzer's own limit on single allocations needs the allocator of a sanitizer, which stable Rust does not have.

use std::alloc::System;

use cap::Cap;

/// Above this limit, an allocation fails and aborts, and libFuzzer reports the input. The fixture uses about 1 MB.
const MAX_BYTES: usize = 64 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MAX_BYTES);
