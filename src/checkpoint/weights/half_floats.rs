//! Numbers of 16 bits, converted in operations that the compiler can vectorize.

/// Returns the value of an IEEE number of 16 bits.
pub(super) fn f16_to_f32(bits: u16) -> f32 {
    const INFINITE: u16 = 0x7c00;
    // 2^112: the difference of the two formats' exponents. The product is exact for subnormal numbers too.
    const REBIAS: f32 = f32::from_bits(0x7780_0000);
    let magnitude = (f32::from_bits(u32::from(bits & 0x7fff) << 13) * REBIAS).to_bits();
    let exponent = if bits & INFINITE == INFINITE { f32::INFINITY.to_bits() } else { 0 };
    f32::from_bits(magnitude | exponent | u32::from(bits & 0x8000) << 16)
}

/// Returns the value of a bfloat16, the upper half of an f32.
pub(super) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    #[test]
    fn all_numbers_have_the_values_of_the_crate_half() {
        for bits in 0..=u16::MAX {
            for (value, expected) in [
                (f16_to_f32(bits), f16::from_bits(bits).to_f32()),
                (bf16_to_f32(bits), bf16::from_bits(bits).to_f32()),
            ] {
                let is_equal = value.to_bits() == expected.to_bits();
                assert!(
                    is_equal || value.is_nan() && expected.is_nan(),
                    "{bits:#x}: {value}, not {expected}"
                );
            }
        }
    }
}
