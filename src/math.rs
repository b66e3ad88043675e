//! exp, ln, and the activations that need them from additions, multiplications and divisions alone: the same bits on every processor and in
//! every browser, which no libm guarantees.
//!
//! Functions are generic over [`SimdF32`]: the vectors of an instruction set, or one f32. The coefficients were
//! fitted for this file by iteratively reweighted least squares, which approaches the minimax fit. The error bounds
//! hold for the evaluation in f32; the tests measure them against f64.

/// f32 arithmetic on several lanes. Each operation rounds each lane once, as IEEE 754 defines.
pub(crate) trait SimdF32: Copy + 'static {
    /// A vector of lanes.
    type F32: Copy;

    /// Returns `value` in every lane.
    fn splat(self, value: f32) -> Self::F32;
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a < b ? a : b`, so NaN gives `b`.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a > b ? a : b`, so NaN gives `b`.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Rounds to the nearest whole number, ties to even.
    fn round(self, a: Self::F32) -> Self::F32;
    /// Returns two to the power of whole numbers in -126..=127.
    fn exp2_int(self, a: Self::F32) -> Self::F32;
}

/// Computes `e^x` with a relative error of at most 2e-7; `x` is clamped to -87..=88.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2` (Cody and Waite, "Software Manual for the Elementary Functions", 1980), then
/// `e^x = 2^n e^r` with a polynomial of degree 6 in `r`.
#[inline(always)]
pub(crate) fn exp<S: SimdF32>(simd: S, x: S::F32) -> S::F32 {
    const TERMS: [f32; 5] = [1.381_314_4e-3, 8.369_419e-3, 4.166_845_6e-2, 1.666_651_5e-1, 0.499_999_94];
    let x = simd.min(simd.max(x, simd.splat(-87.0)), simd.splat(88.0));
    let n = simd.round(simd.mul(x, simd.splat(std::f32::consts::LOG2_E)));
    // ln 2 in two parts. The first has so few significant bits that its product with n is exact.
    let r =
        simd.sub(simd.sub(x, simd.mul(n, simd.splat(0.693_359_4))), simd.mul(n, simd.splat(-2.121_944_4e-4)));
    let tail = polynomial(simd, r, &TERMS);
    let power = simd.add(simd.add(simd.mul(tail, simd.mul(r, r)), r), simd.splat(1.0));
    simd.mul(power, simd.exp2_int(n))
}

/// Computes `2^x` with a relative error of at most 3e-7 for `x` up to 127; `x` below -126 counts as -126.
///
/// `x = n + f` with `|f| <= 1 / 2`, exactly, then `2^x = 2^n 2^f` with a polynomial of degree 5 in `f`.
///
/// `terms` are [`EXP2_TERMS`], possibly [`opaque`].
#[inline(always)]
pub(crate) fn exp2<S: SimdF32>(simd: S, x: S::F32, terms: &[f32]) -> S::F32 {
    let x = simd.max(x, simd.splat(-126.0));
    let n = simd.round(x);
    simd.mul(polynomial(simd, simd.sub(x, n), terms), simd.exp2_int(n))
}

/// The coefficients of [`exp2`].
pub(crate) const EXP2_TERMS: [f32; 6] =
    [1.326_472_7e-3, 9.671_513e-3, 5.550_733_6e-2, 2.402_224_3e-1, std::f32::consts::LN_2 - 1.788e-7, 1.0];

/// Hides coefficients and their number from the compiler in WebAssembly. A loop over terms that it cannot unroll computes each term of
/// several vectors before the next one. Unrolled, LLVM computes one vector after the other, and each operation waits for
/// the one before.
#[inline(always)]
pub(crate) fn opaque<T>(terms: &[T]) -> &[T] {
    if cfg!(target_arch = "wasm32") { std::hint::black_box(terms) } else { terms }
}

/// Computes GELU, `x Φ(x)` with the normal distribution `Φ(x) = (1 + erf(x / sqrt 2)) / 2` (Hendrycks and Gimpel 2016,
/// arXiv 1606.08415).
///
/// `Φ(x)` is approximated by `1 / 2 + x P(x^2) / Q(x^2)`, constant for `|x|` above 5.3, with an absolute error of at
/// most 4e-7. A rational function reaches this with fewer terms than a polynomial, for one division.
///
/// `terms` are [`GELU_TERMS`], possibly [`opaque`].
#[inline(always)]
pub(crate) fn gelu<S: SimdF32>(simd: S, x: S::F32, terms: &[[f32; 2]]) -> S::F32 {
    let clamped = simd.min(simd.max(x, simd.splat(-5.3)), simd.splat(5.3));
    let square = simd.mul(clamped, clamped);
    let mut p = simd.splat(6.264_905_6e-6);
    let mut q = simd.add(simd.mul(simd.splat(5.298_335e-7), square), simd.splat(1.225_357_7e-4));
    for [p_term, q_term] in terms {
        p = simd.add(simd.mul(p, square), simd.splat(*p_term));
        q = simd.add(simd.mul(q, square), simd.splat(*q_term));
    }
    simd.mul(x, simd.add(simd.splat(0.5), simd.div(simd.mul(clamped, p), q)))
}

/// The coefficients of P and Q in [`gelu`] after the first of P and the first two of Q.
pub(crate) const GELU_TERMS: [[f32; 2]; 4] = [
    [3.416_284e-4, 2.863_512_6e-3],
    [5.699_436e-3, 3.883_006_8e-2],
    [5.207_093_4e-2, 2.971_818_2e-1],
    [3.989_418e-1, 1.0],
];

/// Computes `tanh(x) = 1 - 2 / (e^(2x) + 1)` with an absolute error of at most 2e-7.
#[inline(always)]
pub(crate) fn tanh<S: SimdF32>(simd: S, x: S::F32) -> S::F32 {
    let x = simd.min(simd.max(x, simd.splat(-10.0)), simd.splat(10.0));
    let power = exp(simd, simd.add(x, x));
    simd.sub(simd.splat(1.0), simd.div(simd.splat(2.0), simd.add(power, simd.splat(1.0))))
}

/// Computes the sigmoid `1 / (1 + e^-x)` with an absolute error of at most 2e-7.
#[inline(always)]
pub(crate) fn sigmoid<S: SimdF32>(simd: S, x: S::F32) -> S::F32 {
    let one = simd.splat(1.0);
    simd.div(one, simd.add(one, exp(simd, simd.sub(simd.splat(0.0), x))))
}

/// Computes quick GELU, `x / (1 + e^(-1.702 x))`, with an error of at most `4e-7 |x|`.
#[inline(always)]
pub(crate) fn quick_gelu<S: SimdF32>(simd: S, x: S::F32) -> S::F32 {
    simd.div(x, simd.add(simd.splat(1.0), exp(simd, simd.mul(x, simd.splat(-1.702)))))
}

/// Computes Mish, `x tanh(ln(1 + e^x))` (Misra 2019, arXiv 1908.08681), with an error of at most `4e-7 |x|`.
///
/// `tanh(ln(1 + n)) = p / (p + 2)` with `p = n (n + 2)`; it is 1 in f32 for `x` above 20.
#[inline(always)]
pub(crate) fn mish<S: SimdF32>(simd: S, x: S::F32) -> S::F32 {
    let n = exp(simd, simd.min(x, simd.splat(20.0)));
    let p = simd.mul(n, simd.add(n, simd.splat(2.0)));
    simd.mul(x, simd.div(p, simd.add(p, simd.splat(2.0))))
}

/// Computes `ln(1 + x)` for `x` in 0..=1 with an absolute error of at most 2e-7.
///
/// `ln(1 + x) = 2 artanh(s)` with `s = x / (2 + x)`, which is at most 1 / 3, and the series of artanh (DLMF 4.6.4) to
/// the power of 13.
#[inline(always)]
pub(crate) fn ln_1p<S: SimdF32>(simd: S, x: S::F32) -> S::F32 {
    const TERMS: [f32; 7] = [1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
    let s = simd.div(x, simd.add(x, simd.splat(2.0)));
    simd.mul(simd.add(s, s), polynomial(simd, simd.mul(s, s), &TERMS))
}

/// Evaluates a polynomial by Horner's scheme; the coefficient of the highest power comes first.
#[inline(always)]
fn polynomial<S: SimdF32>(simd: S, x: S::F32, terms: &[f32]) -> S::F32 {
    let mut sum = simd.splat(terms[0]);
    for term in &terms[1..] {
        sum = simd.add(simd.mul(sum, x), simd.splat(*term));
    }
    sum
}

/// One f32 in plain Rust.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScalarF32;

impl SimdF32 for ScalarF32 {
    type F32 = f32;

    #[inline(always)]
    fn splat(self, value: f32) -> f32 {
        value
    }
    #[inline(always)]
    fn add(self, a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    fn div(self, a: f32, b: f32) -> f32 {
        a / b
    }
    #[inline(always)]
    fn min(self, a: f32, b: f32) -> f32 {
        if a < b { a } else { b }
    }
    #[inline(always)]
    fn max(self, a: f32, b: f32) -> f32 {
        if a > b { a } else { b }
    }
    #[inline(always)]
    fn round(self, a: f32) -> f32 {
        a.round_ties_even()
    }
    #[inline(always)]
    fn exp2_int(self, a: f32) -> f32 {
        f32::from_bits(((a as i32 + 127) as u32) << 23)
    }
}

/// Two vectors at a time: their operations alternate, so that neither waits for its own result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Twice<S>(pub(crate) S);

impl<S: SimdF32> SimdF32 for Twice<S> {
    type F32 = [S::F32; 2];

    #[inline(always)]
    fn splat(self, value: f32) -> [S::F32; 2] {
        [self.0.splat(value); 2]
    }
    #[inline(always)]
    fn add(self, a: [S::F32; 2], b: [S::F32; 2]) -> [S::F32; 2] {
        [self.0.add(a[0], b[0]), self.0.add(a[1], b[1])]
    }
    #[inline(always)]
    fn sub(self, a: [S::F32; 2], b: [S::F32; 2]) -> [S::F32; 2] {
        [self.0.sub(a[0], b[0]), self.0.sub(a[1], b[1])]
    }
    #[inline(always)]
    fn mul(self, a: [S::F32; 2], b: [S::F32; 2]) -> [S::F32; 2] {
        [self.0.mul(a[0], b[0]), self.0.mul(a[1], b[1])]
    }
    #[inline(always)]
    fn div(self, a: [S::F32; 2], b: [S::F32; 2]) -> [S::F32; 2] {
        [self.0.div(a[0], b[0]), self.0.div(a[1], b[1])]
    }
    #[inline(always)]
    fn min(self, a: [S::F32; 2], b: [S::F32; 2]) -> [S::F32; 2] {
        [self.0.min(a[0], b[0]), self.0.min(a[1], b[1])]
    }
    #[inline(always)]
    fn max(self, a: [S::F32; 2], b: [S::F32; 2]) -> [S::F32; 2] {
        [self.0.max(a[0], b[0]), self.0.max(a[1], b[1])]
    }
    #[inline(always)]
    fn round(self, a: [S::F32; 2]) -> [S::F32; 2] {
        [self.0.round(a[0]), self.0.round(a[1])]
    }
    #[inline(always)]
    fn exp2_int(self, a: [S::F32; 2]) -> [S::F32; 2] {
        [self.0.exp2_int(a[0]), self.0.exp2_int(a[1])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns pairs of `x` and `f(x)` for many values of `x` from `min` to `max`.
    fn sweep(f: fn(f32) -> f32, min: f32, max: f32) -> impl Iterator<Item = (f64, f64)> {
        const STEPS: u32 = 400_000;
        let at = move |step: u32| min + (max - min) * step as f32 / STEPS as f32;
        (0..=STEPS).map(move |step| (f64::from(at(step)), f64::from(f(at(step)))))
    }

    #[test]
    fn functions_keep_their_error_bounds() {
        for (x, got) in sweep(|x| exp(ScalarF32, x), -87.0, 88.0) {
            assert!((got / x.exp() - 1.0).abs() <= 2e-7, "exp({x}) = {got}");
        }
        assert_eq!(exp(ScalarF32, 0.0), 1.0);
        for (x, got) in sweep(|x| exp2(ScalarF32, x, &EXP2_TERMS), -126.0, 127.0) {
            assert!((got / x.exp2() - 1.0).abs() <= 3e-7, "2^{x} = {got}");
        }
        assert_eq!(exp2(ScalarF32, f32::NEG_INFINITY, &EXP2_TERMS), exp2(ScalarF32, -126.0, &EXP2_TERMS));
        for (x, got) in sweep(|x| gelu(ScalarF32, x, &GELU_TERMS), -8.0, 8.0) {
            let wanted = x * (0.5 + 0.5 * erf_series(x * std::f64::consts::FRAC_1_SQRT_2));
            assert!((got - wanted).abs() <= 4e-7 * x.abs(), "gelu({x}) = {got}");
        }
        for (x, got) in sweep(|x| tanh(ScalarF32, x), -12.0, 12.0) {
            assert!((got - x.tanh()).abs() <= 2e-7, "tanh({x}) = {got}");
        }
        for (x, got) in sweep(|x| sigmoid(ScalarF32, x), -120.0, 120.0) {
            assert!((got - 1.0 / (1.0 + (-x).exp())).abs() <= 2e-7, "sigmoid({x}) = {got}");
        }
        for (x, got) in sweep(|x| quick_gelu(ScalarF32, x), -60.0, 60.0) {
            let wanted = x / (1.0 + (-1.702 * x).exp());
            assert!((got - wanted).abs() <= 4e-7 * x.abs(), "quick_gelu({x}) = {got}");
        }
        for (x, got) in sweep(|x| mish(ScalarF32, x), -100.0, 100.0) {
            let wanted = x * x.exp().ln_1p().tanh();
            assert!((got - wanted).abs() <= 4e-7 * x.abs(), "mish({x}) = {got}");
        }
        for (x, got) in sweep(|x| ln_1p(ScalarF32, x), 0.0, 1.0) {
            assert!((got - x.ln_1p()).abs() <= 2e-7, "ln(1 + {x}) = {got}");
        }
    }

    /// erf by the series of DLMF 7.6.2, which converges everywhere and whose terms all have the same sign.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 * sum.abs() {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
    }
}
