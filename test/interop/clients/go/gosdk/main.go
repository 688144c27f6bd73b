// A program with the official Go SDK. Usage: gosdk URL
package main

import (
	"context"
	"log"
	"os"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"interop/browser"
)

type client struct{ session *mcp.ClientSession }

func main() {
	receiver, err := browser.Listen()
	if err != nil {
		log.Fatal(err)
	}
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{
			Metadata: &oauthex.ClientRegistrationMetadata{
				ClientName:   "A program with the Go SDK",
				RedirectURIs: []string{receiver.RedirectURL},
				GrantTypes:   []string{"authorization_code", "refresh_token"},
			},
		},
		AuthorizationCodeFetcher: func(_ context.Context, page *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			answer, err := receiver.Open(page.URL)
			if err != nil {
				return nil, err
			}
			return &auth.AuthorizationResult{Code: answer.Get("code"), State: answer.Get("state"), Iss: answer.Get("iss")}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	transport := &mcp.StreamableClientTransport{Endpoint: os.Args[1], OAuthHandler: handler}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "gosdk", Version: "1.0.0"}, nil).Connect(context.Background(), transport, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := browser.Serve(client{session}); err != nil {
		log.Fatal(err)
	}
}

func (c client) List() ([]string, error) {
	listed, err := c.session.ListTools(context.Background(), nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
	}
	return names, nil
}

func (c client) Call(tool string, arguments map[string]any) (string, error) {
	result, err := c.session.CallTool(context.Background(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		return "", err
	}
	return result.Content[0].(*mcp.TextContent).Text, nil
}
