// Runs the cases on standard input and prints the result of each call: see clients/conformance.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	memory "github.com/semantic-memory/semantic-memory/clients/go"
	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

type call struct {
	RPC, Health, Service string
	Request              any
	Pack                 []string
	Timeout, Pause       float64
	Take                 int
}

type testCase struct {
	Name    string
	Form    string
	Connect struct{ Address, CA, Certificate, Key, Token string }
	Calls   []call
}

type object = map[string]any

func main() {
	var cases []testCase
	must(json.NewDecoder(os.Stdin).Decode(&cases))
	for _, one := range cases {
		options := memory.Options{Token: one.Connect.Token}
		if one.Connect.CA != "" {
			tls, err := memory.TLSFiles(one.Connect.CA, one.Connect.Certificate, one.Connect.Key)
			must(err)
			options.TLS = tls
		}
		client, err := memory.Connect(one.Connect.Address, options)
		must(err)
		var results []any
		for _, call := range one.Calls {
			result, err := call.run(client, one.Form)
			if err != nil {
				result["error"] = errorFields(err)
			}
			results = append(results, result)
		}
		must(client.Close())
		must(json.NewEncoder(os.Stdout).Encode(object{"name": one.Name, "results": results}))
	}
}

func (c call) run(client *memory.Client, form string) (object, error) {
	time.Sleep(time.Duration(c.Pause * float64(time.Second)))
	ctx, cancel := context.Background(), func() {}
	if c.Timeout != 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.Timeout*float64(time.Second)))
	}
	defer cancel()
	switch {
	case c.Pack != nil:
		packed := memory.Pack(floats(c.Pack))
		unpacked, err := memory.Unpack(packed)
		return object{"packed": fmt.Sprintf("%x", packed), "unpacked": bits(unpacked)}, err
	case c.Health == "Check":
		answer, err := grpc_health_v1.NewHealthClient(client.Conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: c.Service})
		return object{"statuses": []string{answer.GetStatus().String()}}, err
	case c.Health == "Watch":
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		watch, err := grpc_health_v1.NewHealthClient(client.Conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: c.Service})
		statuses := []string{}
		for err == nil && len(statuses) < c.Take {
			var answer *grpc_health_v1.HealthCheckResponse
			if answer, err = watch.Recv(); err == nil {
				statuses = append(statuses, answer.Status.String())
			}
		}
		return object{"statuses": statuses}, err
	}
	request := message(c.RPC + "Request")
	must(protojson.Unmarshal(encode(packEmbeddings(c.Request)), request))
	if c.RPC == "Search" {
		hits, summary := []any{}, &pb.SearchSummary{}
		found := client.Hits(ctx, request.(*pb.SearchRequest), summary)
		if form == "keywords" {
			found = searchWithOptions(ctx, client, request.(*pb.SearchRequest), summary)
		}
		for hit, err := range found {
			if err != nil {
				return object{"hits": hits}, err
			}
			if hits = append(hits, toJSON(hit)); len(hits) == c.Take {
				break
			}
		}
		return object{"hits": hits, "summary": toJSON(summary)}, nil
	}
	if form == "keywords" {
		response, err := callWithOptions(ctx, client, request)
		return object{"response": toJSON(response)}, err
	}
	response := message(c.RPC + "Response")
	err := client.Conn.Invoke(ctx, "/semantic_memory.v1.MemoryService/"+c.RPC, request, response)
	return object{"response": toJSON(response)}, err
}

func errorFields(err error) object {
	var e *memory.Error
	if !errors.As(err, &e) {
		return object{"text": err.Error()}
	}
	violations := []any{}
	for _, one := range e.Violations {
		violations = append(violations, toJSON(one))
	}
	return object{
		"code": code.Code(e.Code).String(), "reason": e.Reason.String(), "text": e.Error(), "metadata": e.Metadata,
		"violations": violations, "retryDelay": e.RetryDelay.Seconds(),
	}
}

// packEmbeddings replaces each {"float32": [bits]} by its packed bytes, which JSON has in base64.
func packEmbeddings(value any) any {
	switch value := value.(type) {
	case []any:
		for i, one := range value {
			value[i] = packEmbeddings(one)
		}
	case object:
		if bits, ok := value["float32"]; ok {
			var texts []string
			must(json.Unmarshal(encode(bits), &texts))
			return memory.Pack(floats(texts))
		}
		for key, one := range value {
			value[key] = packEmbeddings(one)
		}
	}
	return value
}

func floats(texts []string) []float32 {
	numbers := make([]float32, len(texts))
	for i, text := range texts {
		parsed, err := strconv.ParseUint(text, 16, 32)
		must(err)
		numbers[i] = math.Float32frombits(uint32(parsed))
	}
	return numbers
}

func bits(numbers []float32) []string {
	texts := make([]string, len(numbers))
	for i, number := range numbers {
		texts[i] = fmt.Sprintf("%08x", math.Float32bits(number))
	}
	return texts
}

func message(name string) proto.Message {
	found, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName("semantic_memory.v1." + name))
	must(err)
	return found.New().Interface()
}

func toJSON(message proto.Message) json.RawMessage {
	text, err := protojson.Marshal(message)
	must(err)
	return text
}

func encode(value any) []byte {
	text, err := json.Marshal(value)
	must(err)
	return text
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
