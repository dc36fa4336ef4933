// Command peer does with the reference client's own library what the benchmarks do with imgsig.
//
//	peer -server URL -dir DIR -mode warm|cold|many -times N [-ca FILE] [-keep] [-user U:P] < NAMES_AND_TAGS
//	peer -mode serve -server HOST:PORT -dir DIR [-cert FILE -key FILE]
//
// It pings first, as docker's client and notary do, and closes connections as they do unless told to keep them.
// Standard input has a line "NAME TAG" for each look-up. Standard output has a JSON line for each measurement
// (seconds, and the digest found) and at last one with the peak of memory in bytes.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io/ioutil"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/docker/distribution/registry/client/auth"
	"github.com/docker/distribution/registry/client/auth/challenge"
	"github.com/docker/distribution/registry/client/transport"
	"github.com/theupdateframework/notary"
	"github.com/theupdateframework/notary/client"
	"github.com/theupdateframework/notary/storage"
	"github.com/theupdateframework/notary/trustpinning"
	"github.com/theupdateframework/notary/tuf/data"
)

var roles = []data.RoleName{"targets/releases", data.CanonicalTargetsRole}

type settings struct {
	server, dir, ca, user string
	keep                  bool
}

type credentials struct{ user, password string }

func (c credentials) Basic(*url.URL) (string, string)          { return c.user, c.password }
func (c credentials) RefreshToken(*url.URL, string) string     { return "" }
func (c credentials) SetRefreshToken(*url.URL, string, string) {}

// base returns connections as docker makes them, or kept open: then it is faster than docker itself.
func (s settings) base() http.RoundTripper {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.ca != "" {
		pem, err := ioutil.ReadFile(s.ca)
		check(err)
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	return &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 16, DisableKeepAlives: !s.keep}
}

// roundTripper does the ping and the token flow of docker's client.
func (s settings) roundTripper(base http.RoundTripper, gun string) http.RoundTripper {
	manager := challenge.NewSimpleManager()
	answer, err := (&http.Client{Transport: base, Timeout: 5 * time.Second}).Get(s.server + "/v2/")
	check(err)
	defer answer.Body.Close()
	check(manager.AddResponse(answer))
	user, password, _ := strings.Cut(s.user, ":")
	tokens := auth.NewTokenHandler(base, credentials{user, password}, gun, "pull")
	return transport.NewTransport(base, auth.NewAuthorizer(manager, tokens))
}

func (s settings) lookUp(base http.RoundTripper, gun, tag string) string {
	none := func(string, string, bool, int) (string, bool, error) { return "", true, nil }
	repository, err := client.NewFileCachedRepository(
		s.dir, data.GUN(gun), s.server, s.roundTripper(base, gun), notary.PassRetriever(none), trustpinning.TrustPinConfig{})
	check(err)
	target, err := repository.GetTargetByName(tag, roles...)
	check(err)
	return hex.EncodeToString(target.Hashes["sha256"])
}

// update brings one repository up to date once, for any number of look-ups.
func (s settings) update(base http.RoundTripper, gun string) client.ReadOnly {
	cache, err := storage.NewFileStore(filepath.Join(s.dir, "tuf", filepath.FromSlash(gun), "metadata"), "json")
	check(err)
	remote, err := storage.NewNotaryServerStore(s.server, data.GUN(gun), s.roundTripper(base, gun))
	check(err)
	repo, _, err := client.LoadTUFRepo(client.TUFLoadOptions{GUN: data.GUN(gun), Cache: cache, RemoteStore: remote})
	check(err)
	return client.NewReadOnly(repo)
}

func (s settings) many(questions [][2]string) {
	byName := map[string][]string{}
	for _, question := range questions {
		byName[question[0]] = append(byName[question[0]], question[1])
	}
	names := make(chan string)
	var workers sync.WaitGroup
	base := s.base()
	for worker := 0; worker < 8; worker++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for name := range names {
				repository := s.update(base, name)
				for _, tag := range byName[name] {
					_, err := repository.GetTargetByName(tag, roles...)
					check(err)
				}
			}
		}()
	}
	for name := range byName {
		names <- name
	}
	close(names)
	workers.Wait()
}

func main() {
	var s settings
	flag.StringVar(&s.server, "server", "", "URL of the trust server")
	flag.StringVar(&s.dir, "dir", "", "trust directory")
	flag.StringVar(&s.ca, "ca", "", "CA file")
	flag.StringVar(&s.user, "user", "", "USER:PASSWORD")
	flag.BoolVar(&s.keep, "keep", false, "keep connections open")
	mode := flag.String("mode", "warm", "warm, cold, many or serve")
	times := flag.Int("times", 1, "how often")
	cert := flag.String("cert", "", "certificate to serve with")
	key := flag.String("key", "", "its key")
	flag.Parse()
	if *mode == "serve" {
		serve(s.server, s.dir, *cert, *key)
	}
	questions := [][2]string{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		name, tag, _ := strings.Cut(lines.Text(), " ")
		questions = append(questions, [2]string{name, tag})
	}
	base := s.base()
	first := questions[0]
	for turn := 0; turn < *times; turn++ {
		digest := ""
		if *mode == "cold" {
			check(os.RemoveAll(s.dir))
			base = s.base()
		}
		start := time.Now()
		if *mode == "many" {
			s.many(questions)
		} else {
			digest = s.lookUp(base, first[0], first[1])
		}
		report(map[string]interface{}{"seconds": time.Since(start).Seconds(), "digest": digest})
	}
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	report(map[string]interface{}{"peak_bytes": usage.Maxrss * 1024})
}

// serve answers with files, as a trust server with nothing else to do would.
func serve(address, dir, cert, key string) {
	handler := http.FileServer(http.Dir(dir))
	if cert != "" {
		log.Fatal(http.ListenAndServeTLS(address, cert, key, handler))
	}
	log.Fatal(http.ListenAndServe(address, handler))
}

func report(line map[string]interface{}) {
	text, err := json.Marshal(line)
	check(err)
	fmt.Println(string(text))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
