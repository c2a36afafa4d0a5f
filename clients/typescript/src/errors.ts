import { create, fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { status, type ServiceError } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from "./generated/google/rpc/error_details_pb.js";
import { StatusSchema } from "./generated/google/rpc/status_pb.js";
import { ErrorReason } from "./generated/semantic_memory/v1/error_reason_pb.js";
import { FieldViolationSchema, type FieldViolation } from "./generated/semantic_memory/v1/memory_service_pb.js";

/** The error of a call. Its message has the code, the reason and the cause in one line. */
export class MemoryError extends Error {
  override readonly name = "MemoryError";
  /** The stable name of the cause. UNSPECIFIED if the error did not come from the server. */
  reason = ErrorReason.UNSPECIFIED;
  metadata: Record<string, string> = {};
  /** The wrong fields of the request, or the failed preconditions. */
  violations: FieldViolation[] = [];
  /** Time to wait before the next attempt, if the server names one. */
  retryDelayMs: number | undefined;

  constructor(readonly code: status, readonly details: string) {
    super(`${status[code]}: ${details}`);
  }

  /** The error of a failed call, with its google.rpc details. */
  static from(error: ServiceError): MemoryError {
    const decoded = new MemoryError(error.code, error.details);
    const [sent] = error.metadata?.get("grpc-status-details-bin") ?? [];
    if (sent instanceof Uint8Array) {
      for (const detail of fromBinary(StatusSchema, sent).details) {
        const info = anyUnpack(detail, ErrorInfoSchema);
        if (info) {
          decoded.reason = ErrorReason[info.reason as keyof typeof ErrorReason] ?? ErrorReason.UNSPECIFIED;
          decoded.metadata = info.metadata;
          decoded.message = `${status[error.code]} ${info.reason}: ${error.details}`;
        }
        for (const one of anyUnpack(detail, BadRequestSchema)?.fieldViolations ?? []) {
          const { field, description, reason: rule } = one;
          decoded.violations.push(create(FieldViolationSchema, { field, description, rule }));
        }
        for (const one of anyUnpack(detail, PreconditionFailureSchema)?.violations ?? []) {
          const { subject: field, description, type: rule } = one;
          decoded.violations.push(create(FieldViolationSchema, { field, description, rule }));
        }
        const delay = anyUnpack(detail, RetryInfoSchema)?.retryDelay;
        if (delay) {
          decoded.retryDelayMs = Number(delay.seconds) * 1000 + delay.nanos / 1e6;
        }
      }
    }
    return decoded;
  }
}
