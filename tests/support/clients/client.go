// Go's own client, as it comes.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	url, token, rest := os.Args[1], os.Args[2], os.Args[3:]
	for place := 0; place < len(rest); place += 2 {
		request, fault := http.NewRequest("POST", url+rest[place], strings.NewReader(rest[place+1]))
		if fault != nil {
			log.Fatal(fault)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		answer, fault := http.DefaultClient.Do(request)
		if fault != nil {
			log.Fatal(fault)
		}
		body, fault := io.ReadAll(answer.Body)
		if fault != nil {
			log.Fatal(fault)
		}
		answer.Body.Close()
		fmt.Println(answer.StatusCode, string(body))
	}
}
