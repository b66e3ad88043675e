/**
 * A module whose only function computes the relaxed integer dot product:
 * `(func (result v128) (i32x4.relaxed_dot_i8x16_i7x16_add_s (i8x16.splat …) (i8x16.splat …) (i8x16.splat …)))`.
 */
// biome-ignore format: a line has the bytes that its comment describes
const probe = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic and version
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b, // one type: () -> v128
  0x03, 0x02, 0x01, 0x00, // one function of that type
  0x0a, 0x13, 0x01, 0x11, 0x00, // its code
  0x41, 0x00, 0xfd, 0x0f, 0x41, 0x00, 0xfd, 0x0f, 0x41, 0x00, 0xfd, 0x0f, // three splats of zero
  0xfd, 0x93, 0x02, 0x0b, // the dot product
]);

/** Whether this runtime has relaxed SIMD. Without it, the engine's faster file cannot be compiled. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(probe);
}
