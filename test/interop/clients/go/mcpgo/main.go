// A program with mcp-go. Usage: mcpgo URL
package main

import (
	"context"
	"log"
	"os"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"interop/browser"
)

type program struct {
	client   *client.Client
	receiver *browser.Receiver
}

func main() {
	receiver, err := browser.Listen()
	if err != nil {
		log.Fatal(err)
	}
	connection, err := client.NewOAuthStreamableHttpClient(os.Args[1], client.OAuthConfig{
		RedirectURI: receiver.RedirectURL,
		TokenStore:  client.NewMemoryTokenStore(),
		PKCEEnabled: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	p := program{connection, receiver}
	if err := p.withSignIn(p.connect); err != nil {
		log.Fatal(err)
	}
	if err := browser.Serve(p); err != nil {
		log.Fatal(err)
	}
}

func (p program) connect() error {
	if err := p.client.Start(context.Background()); err != nil {
		return err
	}
	request := mcp.InitializeRequest{}
	request.Params.ClientInfo = mcp.Implementation{Name: "mcpgo", Version: "1.0.0"}
	_, err := p.client.Initialize(context.Background(), request)
	return err
}

// withSignIn does something, and once more when the user has signed in: the library leaves that to its caller.
func (p program) withSignIn(do func() error) error {
	err := do()
	if !client.IsOAuthAuthorizationRequiredError(err) {
		return err
	}
	if err := p.signIn(client.GetOAuthHandler(err)); err != nil {
		return err
	}
	return do()
}

func (p program) signIn(handler interface {
	RegisterClient(context.Context, string) error
	GetAuthorizationURL(context.Context, string, string) (string, error)
	ProcessAuthorizationResponse(context.Context, string, string, string) error
}) error {
	verifier, err := client.GenerateCodeVerifier()
	if err != nil {
		return err
	}
	state, err := client.GenerateState()
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := handler.RegisterClient(ctx, "A program with mcp-go"); err != nil {
		return err
	}
	address, err := handler.GetAuthorizationURL(ctx, state, client.GenerateCodeChallenge(verifier))
	if err != nil {
		return err
	}
	answer, err := p.receiver.Open(address)
	if err != nil {
		return err
	}
	return handler.ProcessAuthorizationResponse(ctx, answer.Get("code"), answer.Get("state"), verifier)
}

func (p program) List() ([]string, error) {
	var names []string
	err := p.withSignIn(func() error {
		listed, err := p.client.ListTools(context.Background(), mcp.ListToolsRequest{})
		if err != nil {
			return err
		}
		for _, tool := range listed.Tools {
			names = append(names, tool.Name)
		}
		return nil
	})
	return names, err
}

func (p program) Call(tool string, arguments map[string]any) (string, error) {
	var text string
	err := p.withSignIn(func() error {
		request := mcp.CallToolRequest{}
		request.Params.Name = tool
		request.Params.Arguments = arguments
		result, err := p.client.CallTool(context.Background(), request)
		if err != nil {
			return err
		}
		text = result.Content[0].(mcp.TextContent).Text
		return nil
	})
	return text, err
}
