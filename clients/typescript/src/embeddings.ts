/** The wire format of an embedding: little-endian float32. Every bit is kept. */
export function pack(embedding: Float32Array | readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * embedding.length));
  embedding.forEach((number, index) => view.setFloat32(4 * index, number, true));
  return new Uint8Array(view.buffer);
}

/** The numbers of a packed embedding. */
export function unpack(packed: Uint8Array): Float32Array {
  if (packed.length % 4 !== 0) {
    throw new RangeError(`an embedding has four bytes for each number, but this one has ${packed.length} bytes`);
  }
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  return Float32Array.from({ length: packed.length / 4 }, (_, index) => view.getFloat32(4 * index, true));
}
