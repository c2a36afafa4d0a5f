package dev.semanticmemory;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The wire format of embeddings: packed little-endian float32. Every bit is kept. */
public final class Embeddings {
  private Embeddings() {}

  public static ByteString pack(float... embedding) {
    ByteBuffer packed = ByteBuffer.allocate(Float.BYTES * embedding.length).order(ByteOrder.LITTLE_ENDIAN);
    packed.asFloatBuffer().put(embedding);
    return ByteString.copyFrom(packed);
  }

  public static float[] unpack(ByteString packed) {
    if (packed.size() % Float.BYTES != 0) {
      throw new IllegalArgumentException(
          "an embedding has four bytes for each number, but this one has " + packed.size() + " bytes");
    }
    float[] embedding = new float[packed.size() / Float.BYTES];
    packed.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(embedding);
    return embedding;
  }
}
