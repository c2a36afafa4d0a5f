package dev.semanticmemory;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.RetryInfo;
import dev.semanticmemory.v1.ErrorReason;
import dev.semanticmemory.v1.FieldViolation;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The error of a call. Its message has the code, the reason and the cause in one line. */
public final class MemoryException extends RuntimeException {
  private final Status.Code code;
  private ErrorReason reason = ErrorReason.ERROR_REASON_UNSPECIFIED;
  private Map<String, String> metadata = Map.of();
  private final List<FieldViolation> violations = new ArrayList<>();
  private Duration retryDelay;

  MemoryException(StatusRuntimeException cause) {
    super(cause);
    code = cause.getStatus().getCode();
    try {
      for (Any detail : StatusProto.fromThrowable(cause).getDetailsList()) {
        decode(detail);
      }
    } catch (InvalidProtocolBufferException ignored) {
      // The error is still useful without details that cannot be read.
    }
  }

  private void decode(Any detail) throws InvalidProtocolBufferException {
    if (detail.is(ErrorInfo.class)) {
      ErrorInfo info = detail.unpack(ErrorInfo.class);
      metadata = info.getMetadataMap();
      for (ErrorReason known : ErrorReason.values()) {
        if (known.name().equals("ERROR_REASON_" + info.getReason())) {
          reason = known;
        }
      }
    } else if (detail.is(BadRequest.class)) {
      for (var one : detail.unpack(BadRequest.class).getFieldViolationsList()) {
        violations.add(violation(one.getField(), one.getDescription(), one.getReason()));
      }
    } else if (detail.is(PreconditionFailure.class)) {
      for (var one : detail.unpack(PreconditionFailure.class).getViolationsList()) {
        violations.add(violation(one.getSubject(), one.getDescription(), one.getType()));
      }
    } else if (detail.is(RetryInfo.class)) {
      var delay = detail.unpack(RetryInfo.class).getRetryDelay();
      retryDelay = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
    }
  }

  private static FieldViolation violation(String field, String description, String rule) {
    return FieldViolation.newBuilder().setField(field).setDescription(description).setRule(rule).build();
  }

  public Status.Code code() {
    return code;
  }

  /** The stable name of the cause. Unspecified if the error did not come from the server. */
  public ErrorReason reason() {
    return reason;
  }

  public Map<String, String> metadata() {
    return metadata;
  }

  /** The wrong fields of the request, or the failed preconditions. */
  public List<FieldViolation> violations() {
    return List.copyOf(violations);
  }

  /** The time to wait before the next attempt, if the server names one. */
  public Optional<Duration> retryDelay() {
    return Optional.ofNullable(retryDelay);
  }

  @Override
  public String getMessage() {
    Status status = ((StatusRuntimeException) getCause()).getStatus();
    String text = status.getDescription() == null ? "" : status.getDescription().lines().findFirst().orElse("");
    String name = reason == ErrorReason.ERROR_REASON_UNSPECIFIED ? "" : reason.name().replaceFirst("ERROR_REASON_", " ");
    // Netty reports a wrong address or an untrusted certificate in the cause only.
    String why = status.getCause() == null ? "" : ": " + status.getCause().getMessage();
    return code + name + ": " + text + why;
  }
}
