// Calls guestlink-hostd's control socket by the Varlink project's own library for Go: what any
// Varlink client may do.
//
//	main SOCKET    exit 0: all of it held
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/varlink/go/varlink"
	"github.com/varlink/go/varlink/idl"
)

func need(held bool, words ...interface{}) {
	if !held {
		fmt.Println(words...)
		os.Exit(1)
	}
}

func connect() *varlink.Connection {
	connection, err := varlink.NewConnection(context.Background(), "unix:"+os.Args[1])
	need(err == nil, "connect:", err)
	return connection
}

// introspect reads each interface's description by the library's own parser; returns how many
// members the last one has.
func introspect(ctx context.Context) int {
	var vendor, product, version, url string
	var interfaces []string
	members := 0
	err := connect().GetInfo(ctx, &vendor, &product, &version, &url, &interfaces)
	need(err == nil && product == "guestlink-hostd" && version != "", "GetInfo:", err, product)
	need(fmt.Sprint(interfaces) == "[org.varlink.service io.guestlink]", "interfaces:", interfaces)
	for _, name := range interfaces {
		text, err := connect().GetInterfaceDescription(ctx, name)
		need(err == nil, "GetInterfaceDescription:", name, err)
		parsed, err := idl.New(text)
		need(err == nil && parsed.Name == name, "the description of", name, "cannot be read:", err)
		members = len(parsed.Members)
	}
	return members
}

func call(ctx context.Context) {
	var list struct {
		Vms []struct {
			Name  string `json:"name"`
			State string `json:"state"`
		} `json:"vms"`
	}
	connection := connect()
	err := connection.Call(ctx, "io.guestlink.List", nil, &list)
	need(err == nil && len(list.Vms) == 1 && list.Vms[0].Name == "dev", "List:", err, list)
	need(list.Vms[0].State == "never-seen", "state:", list.Vms[0].State)

	// Errors leave the connection as it is, and are of the library's types where they are Varlink's.
	connection = connect()
	err = connection.Call(ctx, "io.guestlink.Show", map[string]string{"vm": "none"}, nil)
	failed, ok := err.(*varlink.Error)
	need(ok && failed.Name == "io.guestlink.NoSuchVm", "Show of none:", err)
	err = connection.Call(ctx, "io.guestlink.Nothing", nil, nil)
	_, ok = err.(*varlink.MethodNotFound)
	need(ok, "a method that there is not:", err)
	err = connection.Call(ctx, "io.guestlink.Show", map[string]int{"vm": 1}, nil)
	_, ok = err.(*varlink.InvalidParameter)
	need(ok, "a parameter of another type:", err)
}

func main() {
	ctx := context.Background()
	members := introspect(ctx)
	call(ctx)
	fmt.Println("io.guestlink,", members, "members: introspected and called")
}
