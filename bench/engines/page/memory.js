// Records all WebAssembly memories of this thread. A memory never shrinks, so its size is its peak.
const memories = new Set();

/** Returns the total size of all memories in bytes. */
export function wasmBytes() {
  if (memories.size === 0) throw new Error("no WebAssembly memory was seen on this thread");
  return [...memories].reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
}

/** Starts recording. Must be called before any module is instantiated. */
export function watchMemories() {
  const { Instance, Memory, instantiate, instantiateStreaming } = WebAssembly;
  WebAssembly.Memory = function (descriptor) {
    const memory = new Memory(descriptor);
    memories.add(memory);
    return memory;
  };
  WebAssembly.Memory.prototype = Memory.prototype;
  const keep = (result) => {
    const { exports } = result.instance ?? result;
    for (const value of Object.values(exports)) if (value instanceof Memory) memories.add(value);
    return result;
  };
  WebAssembly.Instance = function (module, imports) {
    return keep(new Instance(module, imports));
  };
  WebAssembly.Instance.prototype = Instance.prototype;
  WebAssembly.instantiate = async (...args) => keep(await instantiate(...args));
  WebAssembly.instantiateStreaming = async (...args) => keep(await instantiateStreaming(...args));
}
