//! Tests of every instruction set that this processor has: bit-identical to plain Rust, and close to f64.

use super::*;
use crate::checkpoint::{Activation, Tensor};
use crate::engine::cpu::arch::{DEPTH_STEP, MAX_TILE_ROWS};
use crate::engine::cpu::packed_weights::{PackedF32, PackedQ8};

/// Sizes below, at and above those of lanes, panels and tiles, and primes.
const SIZES: [usize; 12] = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 64, 97];

/// Marsaglia's xorshift64: the same values everywhere.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Returns a value that is mostly between -2 and 2 and sometimes extreme.
    pub(super) fn value(&mut self) -> f32 {
        let small = (self.next() >> 40) as f32 / (1u64 << 22) as f32 - 2.0;
        match self.next() % 50 {
            0 => small * 1e4,
            1 => small * 1e-30,
            2 => 0.0,
            3 => -0.0,
            _ => small,
        }
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }
}

pub(super) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

pub(super) fn oracle() -> &'static dyn Kernels {
    portable::<crate::engine::cpu::arch::scalar::Scalar>().expect("plain Rust needs no instructions")
}

pub(super) fn each(test: impl Fn(&'static dyn Kernels)) {
    let all = available();
    assert_eq!(all.last().map(|kernels| kernels.name()), Some(oracle().name()));
    all.into_iter().for_each(test);
}

/// Asserts that each difference, relative to the larger of 1 and the value, is within `bound`.
pub(super) fn assert_close(got: &[f32], want: &[f64], bound: f64, what: &str) {
    assert_eq!(got.len(), want.len());
    for (index, (&got, &want)) in got.iter().zip(want).enumerate() {
        let difference = (f64::from(got) - want).abs() / want.abs().max(1.0);
        assert!(difference <= bound, "{what}[{index}]: {got} and {want}");
    }
}

/// Returns codes `[columns, inputs]`, many of them 0 or 127.
fn codes(random: &mut Random, inputs: usize, columns: usize) -> Vec<u8> {
    (0..inputs * columns).map(|_| [0, 127, (random.next() % 128) as u8][random.next() as usize % 3]).collect()
}

/// Packs a layer of these codes with random scales and biases.
fn packed_q8(kernels: &dyn Kernels, codes: &[u8], inputs: usize, columns: usize) -> PackedQ8 {
    let mut random = Random(7);
    let scales = random.values(columns);
    let parts = [(Tensor::from_codes(codes, &scales, [columns, inputs]), random.values(columns))];
    let mut packed = PackedQ8::new(&parts, kernels.panel());
    kernels.arrange(&mut packed);
    packed
}

/// Quantizes rows, every third of the first nine in two steps.
fn quantized(kernels: &dyn Kernels, values: &[f32], rows: usize, columns: usize) -> QuantizedRows {
    let mut out = QuantizedRows::default();
    out.reserve(rows, columns.next_multiple_of(DEPTH_STEP), (0..rows.min(9)).step_by(3));
    kernels.quantize(&values[..rows * columns], columns, &[], &mut out);
    out
}

/// Returns the output of a layer of random codes over random rows, some of them in two steps.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(in crate::engine::cpu) fn layer(
    kernels: &dyn Kernels,
    depth: usize,
    columns: usize,
    rows: usize,
) -> Vec<f32> {
    let mut random = Random(5);
    let codes = codes(&mut random, depth, columns);
    let layer = packed_q8(kernels, &codes, depth, columns);
    let mut input = quantized(kernels, &random.values(rows * depth), rows, depth);
    let mut values = vec![0.0; rows * columns];
    kernels.linear_q8(&layer, &mut input, Output { values: &mut values, epilogue: Epilogue::Store });
    values
}

#[test]
fn norms_are_bit_identical_everywhere_and_right() {
    each(|kernels| {
        let mut random = Random(1);
        for (columns, rms) in SIZES.into_iter().flat_map(|columns| [(columns, false), (columns, true)]) {
            let (weight, bias) = (random.values(columns), random.values(columns));
            let weights = Norm { weight, bias, eps: 1e-12, rms };
            let rows: Vec<f32> = (0..3 * columns).map(|_| random.value().clamp(-9.0, 9.0)).collect();
            let (mut got, mut want) = (rows.clone(), rows.clone());
            kernels.norm(&mut got, &weights);
            oracle().norm(&mut want, &weights);
            assert_eq!(bits(&got), bits(&want), "{} {columns}", kernels.name());
            if columns > 2 {
                assert_close(&got, &exact_norm(&rows, &weights), 1e-4, kernels.name());
            }
        }
        kernels.norm(&mut [], &Norm { weight: vec![1.0], bias: vec![0.0], eps: 1e-5, rms: false });
    });
}

/// `1 / sqrt(variance + eps)` is infinite, and its products are NaN.
#[test]
fn a_norm_of_equal_values_without_eps_is_not_finite() {
    each(|kernels| {
        for (eps, is_finite) in [(0.0, false), (1e-12, true)] {
            let norm = Norm { weight: vec![1.0; 9], bias: vec![0.0; 9], eps, rms: false };
            assert_eq!(kernels.norm(&mut [0.5; 18], &norm), is_finite, "{} {eps}", kernels.name());
        }
    });
}

fn exact_norm(rows: &[f32], norm: &Norm) -> Vec<f64> {
    let size = norm.weight.len();
    let normalize = |row: &[f32]| {
        let sum = row.iter().map(|&x| f64::from(x)).sum::<f64>();
        let mean = if norm.rms { 0.0 } else { sum / size as f64 };
        let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / size as f64;
        let scale = (variance + f64::from(norm.eps)).sqrt().recip();
        let at = |(index, &x): (usize, &f32)| {
            (f64::from(x) - mean) * scale * f64::from(norm.weight[index]) + f64::from(norm.bias[index])
        };
        row.iter().enumerate().map(at).collect::<Vec<f64>>()
    };
    rows.chunks_exact(size).flat_map(normalize).collect()
}

#[test]
fn quantized_rows_are_bit_identical_everywhere_and_within_half_a_step() {
    each(|kernels| {
        let mut random = Random(2);
        for columns in SIZES {
            let values = random.values(5 * columns);
            let (got, want) =
                (quantized(kernels, &values, 5, columns), quantized(oracle(), &values, 5, columns));
            assert_eq!(got.values, want.values, "{} {columns}", kernels.name());
            for (got, want) in [(&got.scales, &want.scales), (&got.zero_points, &want.zero_points)] {
                assert_eq!(bits(got), bits(want));
            }
            assert_eq!(got.offset_terms, want.offset_terms);
            for row in 0..5 + got.two_step_rows.len() {
                let codes = &got.values[row * got.stride..][..got.stride];
                let sum: i32 = codes.iter().map(|&code| i32::from(code)).sum();
                assert_eq!(got.offset_terms[row], 64.0 * sum as f32);
                assert!(codes[columns..].iter().all(|&code| code == 0));
            }
            for (row, values) in values.chunks_exact(columns).enumerate() {
                let step = got.scales[row];
                let residual = got.two_step_rows.iter().position(|&two_step| two_step == row);
                for (column, &value) in values.iter().enumerate() {
                    let back = dequantized(&got, row, column);
                    assert!(
                        (f64::from(value) - back).abs() <= f64::from(step) * 0.501,
                        "{value} became {back}"
                    );
                    if let Some(residual) = residual {
                        let rest = f64::from(value) - back - dequantized(&got, 5 + residual, column);
                        let bound = f64::from(step) / 250.0 + f64::from(value.abs()) * 1e-6;
                        assert!(
                            rest.abs() <= bound,
                            "{value} differs by {rest} from the sum of its two steps"
                        );
                    }
                }
            }
        }
        let none = quantized(kernels, &[0.0; 10], 2, 5);
        assert!(none.values.iter().all(|&code| code == 0) && none.scales.iter().all(|&scale| scale == 0.0));
    });
}

fn dequantized(rows: &QuantizedRows, row: usize, column: usize) -> f64 {
    let code = f64::from(rows.values[row * rows.stride + column]);
    code * f64::from(rows.scales[row]) + f64::from(rows.zero_points[row])
}

#[test]
fn q8_layers_are_bit_identical_everywhere_and_exact() {
    each(|kernels| {
        let mut random = Random(3);
        for inputs in SIZES {
            for (columns, rows) in [(1, 1), (16, 8), (17, 3), (40, 13), (97, 6), (64, 30)] {
                let codes = codes(&mut random, inputs, columns);
                let layer = packed_q8(kernels, &codes, inputs, columns);
                let scalar_layer = packed_q8(oracle(), &codes, inputs, columns);
                let values = random.values(rows * inputs);
                let mut input = quantized(oracle(), &values, rows, inputs);
                for epilogue in [Epilogue::Store, Epilogue::Add] {
                    let start = random.values(rows * columns);
                    let (mut got, mut want) = (start.clone(), start.clone());
                    kernels.linear_q8(&layer, &mut input, Output { values: &mut got, epilogue });
                    oracle().linear_q8(&scalar_layer, &mut input, Output { values: &mut want, epilogue });
                    let case = format!("{} {rows}x{inputs}x{columns} {epilogue:?}", kernels.name());
                    assert_eq!(bits(&got), bits(&want), "{case}");
                    if epilogue == Epilogue::Store {
                        for (&got, (want, magnitude)) in
                            got.iter().zip(exact_q8(&layer, &codes, &input, rows))
                        {
                            assert!(
                                (f64::from(got) - want).abs() <= 1e-6 * magnitude,
                                "{case}: {got} and {want}"
                            );
                        }
                    }
                }
            }
        }
    });
}

/// Returns each result, and an upper bound of the sum of its terms' magnitudes.
fn exact_q8(layer: &PackedQ8, codes: &[u8], input: &QuantizedRows, rows: usize) -> Vec<(f64, f64)> {
    let at = |row: usize, column: usize| {
        let (scale, bias) = (f64::from(layer.scales[column]), f64::from(layer.biases[column]));
        let residual =
            input.two_step_rows.iter().position(|&two_step| two_step == row).map(|index| rows + index);
        let (mut sum, mut magnitude) = (bias, bias.abs());
        for (k, &code) in codes[column * layer.in_features..][..layer.in_features].iter().enumerate() {
            let value = dequantized(input, row, k) + residual.map_or(0.0, |row| dequantized(input, row, k));
            sum += value * f64::from(i32::from(code) - 64) * scale;
            let max = 127.0 * f64::from(input.scales[row]) + f64::from(input.zero_points[row].abs());
            magnitude += max * 128.0 * scale.abs();
        }
        (sum, magnitude)
    };
    (0..rows).flat_map(|row| (0..layer.columns).map(move |column| at(row, column))).collect()
}

#[test]
fn f32_layers_are_right_everywhere() {
    each(|kernels| {
        let mut random = Random(4);
        let mut values = |count: usize| -> Vec<f32> {
            random.values(count).into_iter().map(|value| value.clamp(-2.0, 2.0)).collect()
        };
        for inputs in SIZES {
            for (columns, rows) in [(1_usize, 1), (16, 8), (33, 7)] {
                let (weights, biases) = (values(columns * inputs), values(columns));
                let parts = [(Tensor::from_floats(&weights, [columns, inputs]), biases.clone())];
                let layer = PackedF32::new(&parts, kernels.panel());
                let input = values((rows + MAX_TILE_ROWS) * inputs);
                let mut got = vec![0.0; rows * columns];
                kernels.linear_f32(
                    &layer,
                    &input,
                    rows,
                    Output { values: &mut got, epilogue: Epilogue::Store },
                );
                let at = |row: usize, column: usize| {
                    let (row, weights) = (&input[row * inputs..], &weights[column * inputs..][..inputs]);
                    let products = weights.iter().zip(row).map(|(&w, &x)| f64::from(w) * f64::from(x));
                    products.sum::<f64>() + f64::from(biases[column])
                };
                let want: Vec<f64> =
                    (0..rows * columns).map(|index| at(index / columns, index % columns)).collect();
                assert_close(&got, &want, 1e-4, kernels.name());
            }
        }
    });
}

#[test]
fn activations_are_bit_identical_everywhere() {
    each(|kernels| {
        let mut random = Random(8);
        let values = random.values(2 * 97);
        for activation in Activation::ALL {
            let (mut got, mut want) = (values.clone(), values.clone());
            kernels.glu(&mut got, 97, activation);
            oracle().glu(&mut want, 97, activation);
            assert_eq!(bits(&got[..97]), bits(&want[..97]), "{} {activation:?}", kernels.name());
        }
        let mut large = [12.0, -12.0, 1.0, 1.0];
        kernels.glu(&mut large, 2, Activation::ClippedGelu);
        assert_eq!(large[0], 10.0, "{}", kernels.name());
    });
}

#[test]
fn gated_linear_units_are_bit_identical_everywhere_and_right() {
    each(|kernels| {
        let mut random = Random(6);
        for columns in SIZES {
            let values = random.values(6 * columns);
            let activation = Activation::Gelu;
            let (mut got, mut want) = (values.clone(), values.clone());
            kernels.glu(&mut got, columns, activation);
            oracle().glu(&mut want, columns, activation);
            assert_eq!(bits(&got[..3 * columns]), bits(&want[..3 * columns]), "{} {columns}", kernels.name());
            let relu = |values: &[f32]| {
                let mut rows = values.to_vec();
                kernels.glu(&mut rows, columns, Activation::Relu);
                rows.truncate(3 * columns);
                rows
            };
            let halves = values.chunks_exact(2 * columns).flat_map(|row| row.iter().zip(&row[columns..]));
            let exact: Vec<f64> = halves.map(|(&x, &gate)| f64::from(x.max(0.0)) * f64::from(gate)).collect();
            assert_close(&relu(&values), &exact, 1e-6, kernels.name());
        }
        kernels.glu(&mut [], 3, Activation::Silu);
    });
}
