// Types of the files that workerd imports: compiled WebAssembly, and bytes ("Data" modules).

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
