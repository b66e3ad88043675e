//! The tiles of AMX: one instruction multiplies sixteen rows with sixteen columns over 64 input features.
//!
//! Rust has no stable intrinsics for AMX, so the instructions are inline assembly. Volume 1 of Intel's Software
//! Developer's Manual describes them. A panel of packed weights already has the layout that they read.

mod detect;
#[cfg(test)]
mod emulator;
#[cfg(test)]
mod tests;

use std::arch::asm;
use std::sync::OnceLock;

use super::avx512::Avx512Lanes;
use super::{Avx512Vnni, TileSet, X86};
use crate::engine::cpu::arch::{DEPTH_STEP, MAX_TILE_COLUMNS, MAX_TILE_ROWS, MAX_TILES_Q8, Tile, TilesQ8};

/// Rows of a tile register.
const REGISTER_ROWS: usize = 16;
/// Bytes in a row of a tile register: input features of one instruction.
const ROW_BYTES: usize = 64;
/// Codes of a panel that one instruction reads.
const CODES: usize = REGISTER_ROWS * Avx512Vnni::PANEL;

/// AMX for 8-bit integers. Tiles of 16-bit integers and of f32 are those of AVX-512.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AmxInt8(Avx512Vnni);

impl TileSet for AmxInt8 {
    type Wide = Avx512Lanes;
    const NAME: &'static str = "amx-int8";
    const ROWS: usize = Avx512Vnni::ROWS;
    const ROWS_Q8: usize = 2 * REGISTER_ROWS;
    const PANEL: usize = Avx512Vnni::PANEL;

    fn detect() -> Option<Self> {
        static USABLE: OnceLock<bool> = OnceLock::new();
        let amx = Self(Avx512Vnni::detect()?);
        // The check is there because the tests have not yet run on a processor with AMX.
        let tiles = |a: &_, stride, panel: &_, to: &mut _| amx.tiles_q8(a, stride, panel, to);
        USABLE.get_or_init(|| detect::is_usable() && amx.is_right(tiles)).then_some(amx)
    }
    #[inline(always)]
    fn wide(isa: X86<Self>) -> Avx512Lanes {
        Avx512Vnni::wide(X86(isa.0.0))
    }
    #[inline(always)]
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>) {
        self.0.tile_q8(a, stride, panel, tile);
    }
    #[inline(always)]
    fn configure_q8(self) -> impl Sized {
        Configured::new(self)
    }
    #[inline(always)]
    fn tiles_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tiles: &mut TilesQ8) {
        if panel.len().is_multiple_of(CODES) && !panel.is_empty() {
            multiply(self, a, stride, panel, tiles);
        } else {
            self.tiles_without_amx(a, stride, panel, tiles);
        }
    }
    #[inline(always)]
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        self.0.tile_i16(a, stride, panel, tile);
    }
    #[inline(always)]
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        self.0.tile_f32(a, stride, panel, tile);
    }
}

impl AmxInt8 {
    /// Computes tiles for depths that are not a multiple of 64.
    fn tiles_without_amx(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tiles: &mut TilesQ8) {
        for (tile, a) in tiles.iter_mut().zip(a.chunks(Self::ROWS * stride)) {
            self.tile_q8(a, stride, panel, tile);
        }
    }

    /// Returns whether `tiles_q8` computes the same small product as AVX-512.
    fn is_right(self, tiles_q8: impl FnOnce(&[i8], usize, &[[u8; DEPTH_STEP]], &mut TilesQ8)) -> bool {
        const DEPTH: usize = 2 * ROW_BYTES;
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let a: [i8; Self::ROWS_Q8 * DEPTH] = std::array::from_fn(|_| random().cast_signed());
        let panel: [_; 2 * CODES] = std::array::from_fn(|_| [(); DEPTH_STEP].map(|()| random() % 128));
        let [mut got, mut want] = [[[0; MAX_TILE_ROWS * MAX_TILE_COLUMNS]; MAX_TILES_Q8]; 2];
        let _configured = self.configure_q8();
        tiles_q8(&a, DEPTH, &panel, &mut got);
        self.tiles_without_amx(&a, DEPTH, &panel, &mut want);
        got == want
    }
}

/// The operand of `ldtilecfg`: the shape of each of up to sixteen tile registers.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// The largest shape for all eight registers that processors have.
static WHOLE_REGISTERS: Config = {
    let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
    let mut register = 0;
    while register < 8 {
        row_bytes[register] = ROW_BYTES as u16;
        rows[register] = REGISTER_ROWS as u8;
        register += 1;
    }
    Config { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
};

/// Tile registers that this thread can use, until the value is dropped: while they are in use, the kernel saves 8 KiB
/// more when it switches threads.
struct Configured;

impl Configured {
    #[inline(always)]
    fn new(_: AmxInt8) -> Self {
        // SAFETY: the token exists only if the processor has AMX and the kernel lets this process use it. The operand
        // is 64 bytes. Compiled code never uses tile registers, so none is lost.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const WHOLE_REGISTERS, options(nostack, preserves_flags, readonly))
        }
        Self
    }
}

impl Drop for Configured {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the value exists only if the processor has AMX.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) }
    }
}

/// Computes 32 rows of a panel whose depth is a multiple of 64, with tile registers configured as a whole.
///
/// Registers 0 to 3 have the sums of two times sixteen rows and columns, 4 and 5 the rows and 6 and 7 the columns, so
/// each register that is loaded is used twice.
#[inline(always)]
fn multiply(_: AmxInt8, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tiles: &mut TilesQ8) {
    const {
        assert!(MAX_TILES_Q8 * MAX_TILE_ROWS == 2 * REGISTER_ROWS && Avx512Vnni::PANEL == MAX_TILE_COLUMNS);
    }
    let steps = panel.len() / CODES;
    assert!(steps > 0);
    // Saturating, so that no stride can wrap around and pass.
    assert!(a.len() >= (2 * REGISTER_ROWS - 1).saturating_mul(stride).saturating_add(steps * ROW_BYTES));
    let second_rows = a[REGISTER_ROWS * stride..].as_ptr();
    // SAFETY: the token exists only if the processor has AMX and the kernel lets this process use it. If tile
    // registers were not configured, the first instruction would end the process. Each of 32 rows has `steps * 64`
    // values, as asserted, and the panel has `steps` times sixteen rows of 32 codes, 128 bytes each. `tiles` has space
    // for 32 rows of 32 sums, 128 bytes each. Registers are never larger than sixteen rows of 64 bytes.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{first} + {stride}*1]",
            "tileloadd tmm6, [{panel} + {width}*1]",
            "tileloadd tmm7, [{panel} + {width}*1 + 64]",
            "tdpbsud tmm0, tmm4, tmm6",
            "tdpbsud tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{second} + {stride}*1]",
            "tdpbsud tmm2, tmm5, tmm6",
            "tdpbsud tmm3, tmm5, tmm7",
            "add {first}, 64",
            "add {second}, 64",
            "add {panel}, 2048",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{sums} + {width}*1], tmm0",
            "tilestored [{sums} + {width}*1 + 64], tmm1",
            "tilestored [{sums} + {width}*1 + 2048], tmm2",
            "tilestored [{sums} + {width}*1 + 2112], tmm3",
            first = inout(reg) a.as_ptr() => _,
            second = inout(reg) second_rows => _,
            stride = in(reg) stride,
            panel = inout(reg) panel.as_ptr() => _,
            steps = inout(reg) steps => _,
            sums = in(reg) tiles.as_mut_ptr(),
            width = in(reg) size_of::<[i32; MAX_TILE_COLUMNS]>(),
            out("tmm0") _,
            out("tmm1") _,
            out("tmm2") _,
            out("tmm3") _,
            out("tmm4") _,
            out("tmm5") _,
            out("tmm6") _,
            out("tmm7") _,
            options(nostack),
        );
    }
}

#[cfg(test)]
impl X86<AmxInt8> {
    /// Returns the token if the processor has AVX-512 VNNI, and performs the instructions of AMX in software.
    pub(crate) fn emulated() -> Option<Self> {
        emulator::install();
        Avx512Vnni::detect().map(|vnni| Self(AmxInt8(vnni)))
    }
}
