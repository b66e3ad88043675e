//! Checks that the processor has AMX, and that the kernel lets this process use it.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// Bits 24 and 25 of EDX in leaf 7 of CPUID: AMX-TILE and AMX-INT8.
const AMX: u32 = 0b11 << 24;
/// Bit 27 of ECX in leaf 1 of CPUID: the kernel saves the states in XCR0.
const OSXSAVE: u32 = 1 << 27;
/// Bits 17 and 18 of XCR0: the configuration and the contents of tile registers.
const TILE_STATES: u64 = 0b11 << 17;

/// Returns whether the processor has AMX for 8-bit integers and the kernel lets this process use it.
pub(super) fn is_usable() -> bool {
    // SAFETY: XCR0 can be read if OSXSAVE is set.
    let states = || unsafe { xcr0() };
    __cpuid(0).eax >= 0x1D
        && __cpuid_count(7, 0).edx & AMX == AMX
        && __cpuid(1).ecx & OSXSAVE != 0
        && states() & TILE_STATES == TILE_STATES
        && has_palette()
        && is_permitted()
}

/// Returns whether palette 1 has eight registers of sixteen rows of 64 bytes.
fn has_palette() -> bool {
    let palette = __cpuid_count(0x1D, 1);
    palette.ebx == 8 << 16 | 64 && palette.ecx & 0xFFFF == 16
}

#[target_feature(enable = "xsave")]
fn xcr0() -> u64 {
    // SAFETY: this function enables the instruction.
    unsafe { _xgetbv(0) }
}

/// Asks the kernel to let this process use tile registers. Without permission, their first use ends the process.
fn is_permitted() -> bool {
    const ARCH_PRCTL: isize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XTILEDATA: usize = 18;
    let result: isize;
    // SAFETY: the call reads and writes no memory of this process. Kernels that do not know it return an error.
    unsafe {
        asm!(
            "syscall",
            inout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}
