// Package browser has what a Go program does around an MCP library: it opens a browser, takes the answer, and speaks with the test.
package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

// Receiver takes the redirects that end a sign-in.
type Receiver struct {
	RedirectURL string
	answers     chan url.Values
}

// Listen takes a free port of this machine.
func Listen() (*Receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	receiver := &Receiver{
		RedirectURL: fmt.Sprintf("http://%s/callback", listener.Addr()),
		answers:     make(chan url.Values),
	}
	go func() {
		err := http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "You can close this window.")
			receiver.answers <- r.URL.Query()
		}))
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}()
	return receiver, nil
}

// Open opens a page in the browser of the user and waits for the redirect that ends it.
func (r *Receiver) Open(address string) (url.Values, error) {
	if err := exec.Command(os.Getenv("BROWSER"), address).Run(); err != nil {
		return nil, err
	}
	return <-r.answers, nil
}

// Client is what the test asks for.
type Client interface {
	List() ([]string, error)
	Call(tool string, arguments map[string]any) (string, error)
}

// Serve answers the questions that come line by line.
func Serve(client Client) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		encoded, err := json.Marshal(answer(client, lines.Text()))
		if err != nil {
			return err
		}
		fmt.Println(string(encoded))
	}
	return lines.Err()
}

func answer(client Client, question string) map[string]any {
	words := strings.SplitN(question, " ", 3)
	if words[0] == "list" {
		tools, err := client.List()
		return describe("tools", tools, err)
	}
	var arguments map[string]any
	if err := json.Unmarshal([]byte(words[2]), &arguments); err != nil {
		return describe("", nil, err)
	}
	text, err := client.Call(words[1], arguments)
	return describe("text", text, err)
}

func describe(name string, value any, err error) map[string]any {
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return map[string]any{name: value}
}
