//! A bound on memory: reading a hostile file of kilobytes must not take what a model of megabytes would.
//!
//! libFuzzer's own limit on single allocations needs a sanitizer's allocator, which stable Rust does not have.

use std::alloc::System;

use cap::Cap;

/// Beyond it an allocation fails and aborts, which libFuzzer reports with the input. The fixture takes about 1 MB.
const MOST_BYTES: usize = 64 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MOST_BYTES);
