// Reads a dashboard as Grafana's own library has it: unknown members, missing ones and wrong types are errors.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if err := check(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(input io.Reader) error {
	var members map[string]json.RawMessage
	if err := json.NewDecoder(input).Decode(&members); err != nil {
		return err
	}
	// Members of an export, which the import takes out.
	delete(members, "__inputs")
	delete(members, "__requires")
	raw, err := json.Marshal(members)
	if err != nil {
		return err
	}
	plugins.RegisterDefaultPlugins()
	read := &dashboard.Dashboard{}
	// A list without an error is not nil.
	for _, err := range []error{read.UnmarshalJSONStrict(raw), read.Validate()} {
		if err != nil && err.Error() != "" {
			return err
		}
	}
	fmt.Println(len(read.Panels), "panels")
	return nil
}
