// Calls the service for some seconds and prints a JSON line for each call: load ADDRESS CA TOKEN SECONDS
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"time"

	memory "github.com/semantic-memory/semantic-memory/clients/go"
)

type line struct {
	At        float64 `json:"at"`
	Operation string  `json:"operation"`
	Seconds   float64 `json:"seconds"`
	Error     *string `json:"error"`
}

func main() {
	address, ca, token := os.Args[1], os.Args[2], os.Args[3]
	seconds, err := strconv.ParseFloat(os.Args[4], 64)
	if err != nil {
		log.Fatal(err)
	}
	config, err := memory.TLSFiles(ca, "", "")
	if err != nil {
		log.Fatal(err)
	}
	client, err := memory.Connect(address, memory.Options{TLS: config, Token: token, Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	var tasks sync.WaitGroup
	for task := range 3 {
		tasks.Go(func() { repeat(client, fmt.Sprintf("go-%d", task), end) })
	}
	tasks.Wait()
}

func repeat(client *memory.Client, user string, end time.Time) {
	for count := 1; time.Now().Before(end); count++ {
		began := time.Now()
		report := line{At: float64(began.UnixMicro()) / 1e6, Operation: "search"}
		var err error
		if count%4 == 0 {
			report.Operation = "store"
			err = store(client, user, count)
		} else {
			err = search(client, user)
		}
		if err != nil {
			text := err.Error()
			report.Error = &text
		}
		report.Seconds = time.Since(began).Seconds()
		text, _ := json.Marshal(report)
		fmt.Println(string(text))
		time.Sleep(200*time.Millisecond - time.Since(began))
	}
}

func store(client *memory.Client, user string, count int) error {
	options := memory.StoreOptions{UserID: user, SessionID: "load", Role: memory.RoleUser}
	_, err := client.StoreText(context.Background(), fmt.Sprintf("note %d of %s", count, user), options)
	return err
}

func search(client *memory.Client, user string) error {
	for _, err := range client.SearchText(context.Background(), "which note?", memory.SearchOptions{UserID: user}) {
		if err != nil {
			return err
		}
	}
	return nil
}
