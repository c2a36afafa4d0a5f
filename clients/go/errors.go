package semanticmemory

import (
	"fmt"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

// Error is the error of a failed call. status.Code(err) works on it too.
type Error struct {
	Code    codes.Code
	Message string
	// Reason is the stable name of the cause. It is ERROR_REASON_UNSPECIFIED if the error did not come from the server.
	Reason   pb.ErrorReason
	Metadata map[string]string
	// Violations are the wrong fields of the request, or the failed preconditions.
	Violations []*pb.FieldViolation
	// RetryDelay is the time to wait before the next attempt, or 0 if the server names none.
	RetryDelay time.Duration

	status *status.Status
}

// Error returns the code, the reason and the message in one line.
func (e *Error) Error() string {
	text := code.Code(e.Code).String()
	if e.Reason != pb.ErrorReason_ERROR_REASON_UNSPECIFIED {
		text += " " + e.Reason.String()[len("ERROR_REASON_"):]
	}
	return fmt.Sprintf("%s: %s", text, e.Message)
}

// GRPCStatus returns the status that gRPC received.
func (e *Error) GRPCStatus() *status.Status { return e.status }

func toError(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	s := status.Convert(err)
	e := &Error{Code: s.Code(), Message: s.Message(), status: s}
	for _, detail := range s.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			e.Reason = pb.ErrorReason(pb.ErrorReason_value["ERROR_REASON_"+detail.Reason])
			e.Metadata = detail.Metadata
		case *errdetails.BadRequest:
			for _, one := range detail.FieldViolations {
				e.Violations = append(e.Violations, &pb.FieldViolation{Field: one.Field, Description: one.Description, Rule: one.Reason})
			}
		case *errdetails.PreconditionFailure:
			for _, one := range detail.Violations {
				e.Violations = append(e.Violations, &pb.FieldViolation{Field: one.Subject, Description: one.Description, Rule: one.Type})
			}
		case *errdetails.RetryInfo:
			e.RetryDelay = detail.RetryDelay.AsDuration()
		}
	}
	return e
}

type typedErrorStream struct{ grpc.ClientStream }

func (s typedErrorStream) RecvMsg(message any) error { return toError(s.ClientStream.RecvMsg(message)) }
