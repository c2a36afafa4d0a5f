// Package semanticmemory is a client of semantic_memory.v1.MemoryService. It is a thin layer over the generated stubs:
// connection defaults, methods with options, hits as an iterator, typed errors, and embeddings as []float32.
//
//	for hit, err := range client.SearchText(ctx, "When do we release?", semanticmemory.SearchOptions{UserID: "me", K: 5}) {
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
	"google.golang.org/grpc/resolver/dns"
	"google.golang.org/protobuf/proto"

	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

// Round robin over the healthy servers, and retries of UNAVAILABLE for all calls that are safe to repeat.
//
//go:embed service_config.json
var serviceConfig string

// By default, a name is looked up at most every 30 seconds, and a client may know only servers that have stopped. gRPC has this
// setting for the whole process only, and allows it to be changed only before the first call.
func init() { dns.SetMinResolutionInterval(time.Second) }

// Options configure a connection. The zero value is plaintext without a token.
type Options struct {
	// TLS encrypts the connection. An empty config trusts the authorities of the system; see also TLSFiles.
	TLS *tls.Config
	// Token is sent with each call as "authorization: Bearer <token>". Use TLS with it.
	Token string
	// Timeout applies to calls whose context has no deadline. Default: 30 seconds.
	Timeout time.Duration
	// Dial has further options of gRPC.
	Dial []grpc.DialOption
}

// Client calls a server. It has the methods of the generated stub, which take request messages, and methods that take
// options instead, such as SearchText. Their errors are *Error. Safe for concurrent use.
type Client struct {
	pb.MemoryServiceClient
	// Conn is the connection, for other services of the server, such as health checking.
	Conn    *grpc.ClientConn
	timeout time.Duration
}

// Connect returns a client of the server at "host:port" or "dns:///host:port". The first call opens the connection.
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
		// Room for a hit whose context has only contents of maximum length.
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16 << 20)),
		grpc.WithChainUnaryInterceptor(c.unary(options.Token)),
		grpc.WithChainStreamInterceptor(c.stream(options.Token)),
	}, options.Dial...)
	conn, err := grpc.NewClient(address, dial...)
	if err != nil {
		return nil, fmt.Errorf("address %q is not valid: %w", address, err)
	}
	c.Conn, c.MemoryServiceClient = conn, pb.NewMemoryServiceClient(conn)
	return c, nil
}

// Close closes the connection and ends the calls on it.
func (c *Client) Close() error { return c.Conn.Close() }

// TLSFiles reads PEM files: the authorities to trust and, for mutual TLS, the client's own certificate and key, or "".
func TLSFiles(ca, certificate, key string) (*tls.Config, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s contains no certificate: it must be a PEM file", ca)
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

// Hits searches and yields the hits, best first. Leaving the loop early ends the search on the server too, and so does the
// end of ctx. An error is the last thing that it yields, with a nil hit. A summary that is not nil is filled in after the
// last hit.
func (c *Client) Hits(ctx context.Context, request *pb.SearchRequest, summary *pb.SearchSummary) iter.Seq2[*pb.Hit, error] {
	return func(yield func(*pb.Hit, error) bool) {
		ctx, cancel := c.withDeadline(ctx)
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

// withDeadline adds the default deadline to a context that has none.
func (c *Client) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.timeout)
}

func (c *Client) unary(token string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		ctx, cancel := c.withDeadline(withToken(ctx, token))
		defer cancel()
		return toError(invoke(ctx, method, withRequestIDs(request), reply, conn, options...))
	}
}

func (c *Client) stream(token string) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := open(withToken(ctx, token), desc, conn, method, options...)
		if err != nil {
			return nil, toError(err)
		}
		return typedErrorStream{stream}, nil
	}
}

func withToken(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// withRequestIDs adds a request id to each memory that has no id. A retry of the Store then creates no duplicate.
func withRequestIDs(request any) any {
	switch original := request.(type) {
	case *pb.StoreRequest:
		if original.Id == "" && original.RequestId == "" {
			copy := proto.CloneOf(original)
			copy.RequestId = rand.Text()
			return copy
		}
	case *pb.BatchStoreRequest:
		copy := &pb.BatchStoreRequest{Index: original.Index}
		for _, one := range original.Memories {
			copy.Memories = append(copy.Memories, withRequestIDs(one).(*pb.StoreRequest))
		}
		return copy
	}
	return request
}
