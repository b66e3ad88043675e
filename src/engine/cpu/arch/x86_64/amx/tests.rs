//! The instructions of AMX, on the processor if it has them and in software otherwise.

use super::emulator::Emulator;
use super::*;

/// Makes the instructions usable in this process.
fn use_amx() {
    if !detect::is_usable() {
        emulator::install();
    }
}

/// Returns a configuration of registers with these rows and bytes.
fn config(shapes: &[(u8, u16)]) -> Config {
    let mut config = Config { row_bytes: [0; 16], rows: [0; 16], ..WHOLE_REGISTERS };
    for (index, &(rows, bytes)) in shapes.iter().enumerate() {
        (config.rows[index], config.row_bytes[index]) = (rows, bytes);
    }
    config
}

/// Multiplies registers of a few rows with one instruction.
macro_rules! product {
    ($instruction:literal, $config:expr, $a:expr, $b:expr, $sums:expr) => {
        // SAFETY: `use_amx` made the instructions usable. The buffers have the rows of the configuration.
        unsafe {
            asm!(
                "ldtilecfg [r10 + 64]",
                "tileloadd tmm0, [r12 + rsi*2 - 4]",
                "tileloadd tmm1, [r13 + rsi*1]",
                "tileloadd tmm2, [{b} + rsi*1 + 1024]",
                concat!($instruction, " tmm0, tmm1, tmm2"),
                "tilezero tmm1",
                "tilestored [r12 + rsi*2 - 4], tmm0",
                "tilestored [r13 + rsi*1], tmm1",
                "tilerelease",
                b = in(reg) $b.as_ptr().wrapping_sub(1024),
                in("rsi") STRIDE,
                in("r10") (&raw const $config).cast::<u8>().wrapping_sub(64),
                in("r12") $sums.as_mut_ptr().wrapping_add(1),
                in("r13") $a.as_mut_ptr(),
                options(nostack),
            );
        }
    };
}

const STRIDE: usize = 20;

#[test]
fn the_four_products_of_bytes_are_those_of_the_manual() {
    use_amx();
    // Five rows of a depth of twelve, and three columns.
    let shapes = config(&[(5, 12), (5, 12), (3, 12)]);
    let mut state = 7_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        [0, 127, 128, 255, (state >> 16) as u8][(state >> 24) as usize % 5]
    };
    let first: [u8; 5 * STRIDE] = std::array::from_fn(|_| random());
    let b: [u8; 3 * STRIDE] = std::array::from_fn(|_| random());
    let start: [i32; 5 * STRIDE / 2] = std::array::from_fn(|index| [i32::MAX, -5, 1000][index % 3]);
    for (signed_a, signed_b) in [(true, true), (true, false), (false, true), (false, false)] {
        let (mut a, mut sums) = (first, start);
        match (signed_a, signed_b) {
            (true, true) => product!("tdpbssd", shapes, a, b, sums),
            (true, false) => product!("tdpbsud", shapes, a, b, sums),
            (false, true) => product!("tdpbusd", shapes, a, b, sums),
            (false, false) => product!("tdpbuud", shapes, a, b, sums),
        }
        let value = |byte: u8, signed: bool| if signed { byte as i8 as i32 } else { byte as i32 };
        let (mut want_a, mut want) = (first, start);
        for row in 0..5 {
            want_a[row * STRIDE..][..12].fill(0);
            for column in 0..3 {
                for k in 0..12 {
                    let product = value(first[row * STRIDE + k], signed_a)
                        * value(b[k / 4 * STRIDE + 4 * column + k % 4], signed_b);
                    let sum = &mut want[row * STRIDE / 2 + column];
                    *sum = sum.wrapping_add(product);
                }
            }
        }
        assert_eq!((a, sums), (want_a, want), "{signed_a} x {signed_b}");
    }
}

#[test]
fn the_emulator_refuses_what_a_processor_refuses() {
    const LDTILECFG: &[u8] = &[0xC4, 0xE2, 0x78, 0x49, 0x00];
    const TILEZERO_0: &[u8] = &[0xC4, 0xE2, 0x7B, 0x49, 0xC0];
    const TILERELEASE: &[u8] = &[0xC4, 0xE2, 0x78, 0x49, 0xC0];
    const TDPBSUD_0_1_2: &[u8] = &[0xC4, 0xE2, 0x6A, 0x5E, 0xC1];
    const TDPBSUD_0_1_1: &[u8] = &[0xC4, 0xE2, 0x72, 0x5E, 0xC1];
    let run = |config: &Config, instructions: &[&[u8]]| {
        let mut emulator = Emulator::new();
        let mut general = [0; 16];
        general[0] = (&raw const *config).addr() as u64;
        let mut results = instructions.iter().map(|instruction| {
            // SAFETY: an instruction, whose operand is the configuration.
            unsafe { emulator.step(instruction.as_ptr(), &general) }
        });
        results.find(|result| result.is_err()).unwrap_or(Ok(None))
    };
    let right = config(&[(5, 12), (5, 8), (2, 12)]);
    assert_eq!(run(&right, &[LDTILECFG, TDPBSUD_0_1_2, TILEZERO_0, TILERELEASE]), Ok(None));
    let refused = [
        (config(&[]), [TILEZERO_0].as_slice(), "no tile register is configured"),
        (config(&[(5, 12)]), &[LDTILECFG, TILERELEASE, TILEZERO_0], "no tile register is configured"),
        (config(&[(0, 0), (1, 4)]), &[LDTILECFG, TILEZERO_0], "the tile register is not configured"),
        (Config { palette: 2, ..config(&[]) }, &[LDTILECFG], "the palette does not exist"),
        (Config { reserved: [1; 14], ..config(&[]) }, &[LDTILECFG], "reserved bytes are not zero"),
        (config(&[(17, 64)]), &[LDTILECFG], "a tile register is too large"),
        (config(&[(16, 65)]), &[LDTILECFG], "a tile register is too large"),
        (config(&[(1, 0)]), &[LDTILECFG], "only one of rows and bytes is zero"),
        (config(&[(1, 4); 9]), &[LDTILECFG], "there are eight tile registers"),
        (config(&[(5, 12), (4, 8), (2, 12)]), &[LDTILECFG, TDPBSUD_0_1_2], "the rows of the sums"),
        (config(&[(5, 12), (5, 8), (2, 8)]), &[LDTILECFG, TDPBSUD_0_1_2], "the columns of the sums"),
        (config(&[(5, 12), (5, 8), (3, 12)]), &[LDTILECFG, TDPBSUD_0_1_2], "the depths of the operands"),
        (config(&[(5, 12), (5, 6), (1, 12)]), &[LDTILECFG, TDPBSUD_0_1_2], "bytes are no multiple of four"),
        (config(&[(3, 12), (3, 12)]), &[LDTILECFG, TDPBSUD_0_1_1], "a tile register is used twice"),
    ];
    for (config, instructions, problem) in refused {
        let result = run(&config, instructions);
        assert!(result.is_err_and(|error| error.contains(problem)), "{problem}: {result:?}");
    }
}

#[test]
#[cfg_attr(not(avx512_vnni), ignore = "needs a processor with AVX-512 VNNI")]
fn wrong_sums_are_noticed() {
    use_amx();
    let amx = AmxInt8(Avx512Vnni::detect().expect("the processor for which this was built"));
    assert!(amx.is_right(|a, stride, panel, tiles| amx.tiles_q8(a, stride, panel, tiles)));
    for wrong in [0, 31 * 32 + 31] {
        assert!(!amx.is_right(|a, stride, panel, tiles| {
            amx.tiles_q8(a, stride, panel, tiles);
            tiles.as_flattened_mut()[wrong] -= 1;
        }));
    }
}
