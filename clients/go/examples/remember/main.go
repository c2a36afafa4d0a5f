// Stores two messages of different sessions and searches them: go run ./examples/remember 127.0.0.1:50051
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	memory "github.com/semantic-memory/semantic-memory/clients/go"
)

func main() {
	ctx, user := context.Background(), "gopher"
	client, err := memory.Connect(os.Args[1], memory.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for session, content := range map[string]string{"monday": "We ship on Fridays", "tuesday": "My cat is called Miso"} {
		options := memory.StoreOptions{UserID: user, SessionID: session, Role: memory.RoleUser}
		if _, err := client.StoreText(ctx, content, options); err != nil {
			log.Fatal(err)
		}
	}
	for hit, err := range client.SearchText(ctx, "When do we release?", memory.SearchOptions{UserID: user, K: 1}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.3f %s %s\n", hit.Score, hit.Memory.SessionId, hit.Memory.Content)
	}
}
