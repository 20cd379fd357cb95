// Render the Helm chart as helm does, for tests on machines with Go and without helm:
// render_chart CHART [VALUES …] prints every manifest. Built with Debian's golang packages.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"github.com/ghodss/yaml"
)

type values = map[string]interface{}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(path string) values {
	text, err := os.ReadFile(path)
	fail(err)
	found := values{}
	fail(yaml.Unmarshal(text, &found))
	return found
}

func merged(base, changes values) values {
	for key, change := range changes {
		inner, isMap := change.(values)
		before, wasMap := base[key].(values)
		if isMap && wasMap {
			base[key] = merged(before, inner)
		} else {
			base[key] = change
		}
	}
	return base
}

func functions(all *template.Template) template.FuncMap {
	known := sprig.TxtFuncMap()
	known["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	known["include"] = func(name string, data interface{}) (string, error) {
		var text bytes.Buffer
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	return known
}

func main() {
	chart := os.Args[1]
	chosen := read(filepath.Join(chart, "values.yaml"))
	for _, path := range os.Args[2:] {
		chosen = merged(chosen, read(path))
	}
	described := read(filepath.Join(chart, "Chart.yaml"))
	data := values{
		"Values": chosen,
		"Chart": values{
			"Name":       described["name"],
			"Version":    described["version"],
			"AppVersion": described["appVersion"],
		},
		"Release": values{"Name": "stepahead", "Service": "Helm"},
	}
	all := template.New("chart").Option("missingkey=error")
	all.Funcs(functions(all))
	paths, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	fail(err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		fail(err)
		_, err = all.New(filepath.Base(path)).Parse(string(text))
		fail(err)
	}
	for _, path := range paths {
		if filepath.Ext(path) != ".yaml" {
			continue
		}
		fmt.Println("---")
		fail(all.ExecuteTemplate(os.Stdout, filepath.Base(path), data))
	}
}
