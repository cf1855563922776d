// loop MANIFEST OUT: download, hash, compress, one recording after the other or JOBS at once.
//
// Without SAFE nothing is synced and nothing read back: what a straightforward service does. With SAFE=1 each
// compressed file is synced, read back through gzip and SHA-256, and compared, and the folder is synced at the end.
package main

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

type entry struct {
	ID       string `json:"id"`
	URL      string `json:"mediaUrl"`
	Checksum string `json:"checksum"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: loop MANIFEST OUT")
		os.Exit(2)
	}
	if err := archiveAll(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func archiveAll(manifest, out string) error {
	content, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	var entries []entry
	if err := json.Unmarshal(content, &entries); err != nil {
		return err
	}
	jobs, err := strconv.Atoi(os.Getenv("JOBS"))
	if err != nil || jobs < 1 {
		jobs = 1
	}
	safe := os.Getenv("SAFE") != ""
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: jobs, DisableCompression: true}}
	todo, failures := make(chan entry), make(chan error, len(entries))
	var workers sync.WaitGroup
	for range make([]struct{}, jobs) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for each := range todo {
				if err := archive(client, each, out, safe); err != nil {
					failures <- fmt.Errorf("%s: %w", each.ID, err)
				}
			}
		}()
	}
	for _, each := range entries {
		todo <- each
	}
	close(todo)
	workers.Wait()
	close(failures)
	var told []string
	for failure := range failures {
		told = append(told, failure.Error())
	}
	if len(told) > 0 {
		return errors.New(strings.Join(told, "\n"))
	}
	if safe {
		return syncPath(out)
	}
	return nil
}

// archive leaves one compressed file, or an error.
func archive(client *http.Client, each entry, out string, safe bool) error {
	raw := filepath.Join(out, each.ID+filepath.Ext(each.URL))
	if err := download(client, each, raw); err != nil {
		return err
	}
	packed := raw + ".gz"
	if err := compress(raw, packed); err != nil {
		return err
	}
	if safe {
		if err := verify(packed, each.Checksum); err != nil {
			return err
		}
	}
	return os.Remove(raw)
}

func download(client *http.Client, each entry, path string) error {
	reply, err := client.Get(each.URL)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", reply.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(file, io.TeeReader(reply.Body, hash)); err != nil {
		return err
	}
	return compare(hash.Sum(nil), each.Checksum)
}

func compress(raw, packed string) error {
	source, err := os.Open(raw)
	if err != nil {
		return err
	}
	defer source.Close()
	sink, err := os.Create(packed)
	if err != nil {
		return err
	}
	defer sink.Close()
	writer := gzip.NewWriter(sink)
	if _, err := io.Copy(writer, source); err != nil {
		return err
	}
	return writer.Close()
}

func verify(packed, checksum string) error {
	if err := syncPath(packed); err != nil {
		return err
	}
	file, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer file.Close()
	reader, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, reader); err != nil {
		return err
	}
	return compare(hash.Sum(nil), checksum)
}

func syncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

func compare(found []byte, expected string) error {
	if hex.EncodeToString(found) != strings.ToLower(expected) {
		return errors.New("wrong checksum")
	}
	return nil
}
