// Reads a URI a line (base64), prints what servers in Go would open of it: a line of base64 texts, a dot where one gives up.
package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

type opener func(uri string) (string, error)

const root = "/srv/public"

var openers = []opener{
	func(uri string) (string, error) { return parsed(uri, func(u *url.URL) string { return u.Path }) },
	func(uri string) (string, error) { return parsed(uri, func(u *url.URL) string { return filepath.Clean(u.Path) }) },
	func(uri string) (string, error) { return parsed(uri, func(u *url.URL) string { return u.EscapedPath() }) },
	func(uri string) (string, error) { return parsed(uri, func(u *url.URL) string { return u.JoinPath().Path }) },
	func(uri string) (string, error) { return parsed(uri, func(u *url.URL) string { return u.Opaque + u.Path }) },
	func(uri string) (string, error) { return url.PathUnescape(path.Clean(strings.TrimPrefix(uri, "file://"))) },
	func(uri string) (string, error) { return url.QueryUnescape(strings.TrimPrefix(uri, "file://")) },
	func(uri string) (string, error) { return filepath.Clean(strings.TrimPrefix(uri, "file://")), nil },
	func(uri string) (string, error) { return strings.TrimPrefix(uri, "file://"), nil },
	func(uri string) (string, error) {
		decoded, err := url.PathUnescape(uri)
		if err != nil {
			return "", err
		}
		return parsed(decoded, func(u *url.URL) string { return u.Path })
	},
	func(uri string) (string, error) {
		below, ok := strings.CutPrefix(uri, "file://"+root+"/")
		if !ok {
			return "", errors.New("not below the root")
		}
		decoded, err := url.PathUnescape(below)
		return filepath.Join(root, decoded), err
	},
	func(uri string) (string, error) {
		base, _ := url.Parse("file://" + root + "/")
		reference, err := base.Parse(strings.TrimPrefix(uri, "file://"+root+"/"))
		if err != nil {
			return "", err
		}
		return reference.Path, nil
	},
}

func parsed(uri string, open func(*url.URL) string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", err
	}
	return open(u), nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		uri, _ := base64.StdEncoding.DecodeString(lines.Text())
		opened := make([]string, len(openers))
		for i, open := range openers {
			opened[i] = "."
			if path, err := open(string(uri)); err == nil && path != "" {
				opened[i] = base64.StdEncoding.EncodeToString([]byte(path))
			}
		}
		fmt.Println(strings.Join(opened, " "))
	}
}
