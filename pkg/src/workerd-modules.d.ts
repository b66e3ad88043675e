// What workerd makes of an imported file: compiled WebAssembly, or bytes ("Data" modules).

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "*.json" {
  const bytes: ArrayBuffer;
  export default bytes;
}

declare module "*.safetensors" {
  const bytes: ArrayBuffer;
  export default bytes;
}
