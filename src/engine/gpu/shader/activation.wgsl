// The activation of a feed-forward block, element by element. Appended to gemm.wgsl.

#if EXACT_GELU
// x times the cumulative normal distribution, approximated by a rational function; src/math.rs has its derivation.
fn gelu(x: vec4<f32>) -> vec4<f32> {
  let clamped = clamp(x, vec4<f32>(-5.3), vec4<f32>(5.3));
  let s = clamped * clamped;
  let p = (((6.2649056e-6 * s + 3.416284e-4) * s + 5.699436e-3) * s + 5.2070934e-2) * s + 3.989418e-1;
  let q = ((((5.298335e-7 * s + 1.2253577e-4) * s + 2.8635126e-3) * s + 3.8830068e-2) * s + 2.9718182e-1) * s + 1.0;
  return x * (0.5 + clamped * p / q);
}
#end

#if GELU
fn activate(x: vec4<f32>) -> vec4<f32> {
  return gelu(x);
}
#end

#if CLIPPED_GELU
fn activate(x: vec4<f32>) -> vec4<f32> {
  return clamp(gelu(x), vec4<f32>(-10.0), vec4<f32>(10.0));
}
#end

#if TANH
// tanh as 1 - 2 / (e^2x + 1), which cannot overflow; WGSL's own tanh may.
fn tanh_safe(x: vec4<f32>) -> vec4<f32> {
  let clamped = clamp(x, vec4<f32>(-10.0), vec4<f32>(10.0));
  return 1.0 - 2.0 / (exp(2.0 * clamped) + 1.0);
}
#end

#if GELU_TANH
fn activate(x: vec4<f32>) -> vec4<f32> {
  return 0.5 * x * (1.0 + tanh_safe(0.7978846 * (x + 0.044715 * x * x * x)));
}
#end

#if PLAIN_TANH
fn activate(x: vec4<f32>) -> vec4<f32> {
  return tanh_safe(x);
}
#end

#if RELU
fn activate(x: vec4<f32>) -> vec4<f32> {
  return max(x, vec4<f32>());
}
#end

#if SILU
fn activate(x: vec4<f32>) -> vec4<f32> {
  // Beyond +-80 the sigmoid is 0 or 1 in f32; exp overflows beyond 88.
  return x / (1.0 + exp(-clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0))));
}
#end

#if QUICK_GELU
fn activate(x: vec4<f32>) -> vec4<f32> {
  return x / (1.0 + exp(-clamp(1.702 * x, vec4<f32>(-80.0), vec4<f32>(80.0))));
}
#end

#if RELU_SQUARED
fn activate(x: vec4<f32>) -> vec4<f32> {
  let positive = max(x, vec4<f32>());
  return positive * positive;
}
#end

#if RELU6
fn activate(x: vec4<f32>) -> vec4<f32> {
  return clamp(x, vec4<f32>(), vec4<f32>(6.0));
}
#end

#if LEAKY_RELU
fn activate(x: vec4<f32>) -> vec4<f32> {
  return max(x, 0.01 * x);
}
#end

#if MISH
// tanh(ln(1 + n)) as p / (p + 2) with p = n (n + 2); src/math.rs has more. It is 1 in f32 for x above 20.
fn activate(x: vec4<f32>) -> vec4<f32> {
  let n = exp(clamp(x, vec4<f32>(-80.0), vec4<f32>(20.0)));
  let p = n * (n + 2.0);
  return x * (p / (p + 2.0));
}
#end

#if HARDSWISH
fn activate(x: vec4<f32>) -> vec4<f32> {
  return x * clamp(x + 3.0, vec4<f32>(), vec4<f32>(6.0)) / 6.0;
}
#end

#if SIGMOID
fn activate(x: vec4<f32>) -> vec4<f32> {
  return 1.0 / (1.0 + exp(-clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0))));
}
#end

#if LINEAR
fn activate(x: vec4<f32>) -> vec4<f32> {
  return x;
}
#end
