// Types of the files that workerd imports: compiled WebAssembly, and bytes ("Data" modules) or parsed JSON.

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "*.json" {
  const content: ArrayBuffer | object;
  export default content;
}

declare module "*.safetensors" {
  const bytes: ArrayBuffer;
  export default bytes;
}
