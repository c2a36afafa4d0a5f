// Package semanticmemory is a thin layer over the generated stubs of semantic_memory.v1.MemoryService: a connection with
// sane defaults, hits as an iterator, typed errors, and embeddings as []float32.
package semanticmemory

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"fmt"
	"iter"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // lets round_robin follow the health of servers
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

// Round robin over healthy servers, and a retry of UNAVAILABLE for all calls that are safe to repeat.
//
//go:embed service_config.json
var serviceConfig string

// Options say how to reach a server. The zero value is plaintext without a token.
type Options struct {
	// TLS is how to encrypt and whom to trust: an empty config trusts the roots of the system; see also TLSFiles.
	TLS *tls.Config
	// Token is sent with each call as "authorization: Bearer <token>". Use TLS with it.
	Token string
	// Timeout holds for calls whose context has no deadline. Default: 30 seconds.
	Timeout time.Duration
	// Dial is for what this package does not cover.
	Dial []grpc.DialOption
}

// Client calls a server. Its RPCs are those of the generated stub; their errors are *Error. Safe for concurrent use.
type Client struct {
	pb.MemoryServiceClient
	// Conn is the connection, for other services of the server, such as health checking.
	Conn    *grpc.ClientConn
	timeout time.Duration
}

// Connect makes a client of the server at this address, "host:port" or "dns:///host:port". The connection is made with
// the first call.
func Connect(address string, options Options) (*Client, error) {
	c := &Client{timeout: options.Timeout}
	if c.timeout == 0 {
		c.timeout = 30 * time.Second
	}
	transport := insecure.NewCredentials()
	if options.TLS != nil {
		transport = credentials.NewTLS(options.TLS)
	}
	dial := append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: 20 * time.Second, PermitWithoutStream: true}),
		// A hit whose whole context is of the longest contents.
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16 << 20)),
		grpc.WithChainUnaryInterceptor(c.unary(options.Token)),
		grpc.WithChainStreamInterceptor(c.stream(options.Token)),
	}, options.Dial...)
	conn, err := grpc.NewClient(address, dial...)
	if err != nil {
		return nil, fmt.Errorf("the address %q: %w", address, err)
	}
	c.Conn, c.MemoryServiceClient = conn, pb.NewMemoryServiceClient(conn)
	return c, nil
}

// Close ends the connection and the calls on it.
func (c *Client) Close() error { return c.Conn.Close() }

// TLSFiles reads PEM files: the authorities to trust and, unless empty, the client's own certificate and key.
func TLSFiles(ca, certificate, key string) (*tls.Config, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	if certificate != "" {
		own, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

// Hits searches, and yields the hits best first. Leaving the loop early, or the end of ctx, ends the search on the server
// too. An error comes last, with a nil hit. A summary that is not nil is filled in after the last hit.
func (c *Client) Hits(ctx context.Context, request *pb.SearchRequest, summary *pb.SearchSummary) iter.Seq2[*pb.Hit, error] {
	return func(yield func(*pb.Hit, error) bool) {
		ctx, cancel := c.within(ctx)
		defer cancel()
		stream, err := c.Search(ctx, request)
		for err == nil {
			var response *pb.SearchResponse
			if response, err = stream.Recv(); err != nil {
				break
			}
			for _, hit := range response.Hits {
				if !yield(hit, nil) {
					return
				}
			}
			if response.Summary != nil {
				if summary != nil {
					proto.Merge(summary, response.Summary)
				}
				return
			}
		}
		yield(nil, err)
	}
}

// within adds the default deadline where there is none.
func (c *Client) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.timeout)
}

func (c *Client) unary(token string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		ctx, cancel := c.within(authorized(ctx, token))
		defer cancel()
		return decoded(invoke(ctx, method, repeatable(request), reply, conn, options...))
	}
}

func (c *Client) stream(token string) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := open(authorized(ctx, token), desc, conn, method, options...)
		if err != nil {
			return nil, decoded(err)
		}
		return decodedStream{stream}, nil
	}
}

func authorized(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// repeatable gives each memory to be stored a request id, unless it has an id: what makes a retry of Store safe.
func repeatable(request any) any {
	switch original := request.(type) {
	case *pb.StoreRequest:
		if original.Id == "" && original.RequestId == "" {
			copied := proto.CloneOf(original)
			copied.RequestId = rand.Text()
			return copied
		}
	case *pb.BatchStoreRequest:
		copied := &pb.BatchStoreRequest{Index: original.Index}
		for _, one := range original.Memories {
			copied.Memories = append(copied.Memories, repeatable(one).(*pb.StoreRequest))
		}
		return copied
	}
	return request
}
