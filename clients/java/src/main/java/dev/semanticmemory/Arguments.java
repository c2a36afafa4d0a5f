package dev.semanticmemory;

import com.google.protobuf.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** Checks the arguments of the options and converts them to Protobuf's types. Errors name the argument. */
final class Arguments {
  private Arguments() {}

  static <T> T notNull(String name, T value) {
    if (value == null) {
      throw new IllegalArgumentException(name + " is null: it needs a value");
    }
    return value;
  }

  @SafeVarargs
  static <T> List<T> list(String name, T... values) {
    for (int i = 0; i < notNull(name, values).length; i++) {
      notNull(name + "[" + i + "]", values[i]);
    }
    return List.of(values);
  }

  static int notNegative(String name, int value) {
    if (value < 0) {
      throw new IllegalArgumentException(name + " is " + value + ": it must not be negative");
    }
    return value;
  }

  static Timestamp toTimestamp(String name, Instant time) {
    notNull(name, time);
    return Timestamp.newBuilder().setSeconds(time.getEpochSecond()).setNanos(time.getNano()).build();
  }

  static com.google.protobuf.Duration toDuration(String name, Duration duration) {
    if (notNull(name, duration).isNegative()) {
      throw new IllegalArgumentException(name + " is " + duration + ": it must not be negative");
    }
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(duration.getSeconds()).setNanos(duration.getNano()).build();
  }
}
