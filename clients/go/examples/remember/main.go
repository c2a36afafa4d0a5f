// Remembers a conversation and asks across sessions: go run ./examples/remember 127.0.0.1:50051
package main

import (
	"context"
	"fmt"
	"os"

	memory "github.com/semantic-memory/semantic-memory/clients/go"
	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

func main() {
	ctx := context.Background()
	client, err := memory.Connect(os.Args[1], memory.Options{})
	for session, said := range map[string]string{"monday": "We ship on Fridays", "tuesday": "My cat is called Miso"} {
		if err == nil {
			_, err = client.Store(ctx, &pb.StoreRequest{UserId: "gopher", SessionId: session, Role: pb.Role_ROLE_USER, Content: said})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	question := &pb.SearchRequest{QueryText: "When do we release?", Filter: &pb.MemoryFilter{UserId: "gopher"}}
	for hit, err := range client.Hits(ctx, question, nil) {
		fmt.Println(hit.GetScore(), hit.GetMemory().GetSessionId(), hit.GetMemory().GetContent(), err)
	}
}
