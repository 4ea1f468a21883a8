// Verifies a ledger written by Axiom with Go's own sumdb packages: the note's signature, the
// checkpoint, every leaf hash from the entry bundles, and the tree's root.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		fail("%v", err)
	}
	return data
}

// number is a tile's place in the folder: "x001/x234/067".
func number(n int64) string {
	text := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		text = fmt.Sprintf("x%03d/%s", n%1000, text)
	}
	return text
}

func bundle(folder string, n, width int64) []byte {
	path := filepath.Join(folder, "tile", "entries", number(n))
	if _, err := os.Stat(path); err != nil && width < 256 {
		path = fmt.Sprintf("%s.p/%d", path, width)
	}
	return read(path)
}

func main() {
	folder, vkey := os.Args[1], strings.TrimSpace(string(read(os.Args[2])))
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		fail("verifier key: %v", err)
	}
	opened, err := note.Open(read(filepath.Join(folder, "checkpoint")), note.VerifierList(verifier))
	if err != nil {
		fail("checkpoint: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	var size int64
	if _, err := fmt.Sscanf(lines[1], "%d", &size); err != nil || lines[0] != verifier.Name() {
		fail("checkpoint: %q", opened.Text)
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		fail("root: %v", err)
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			out[i] = hashes[at]
		}
		return out, nil
	})
	for leaf := int64(0); leaf < size; {
		width := size - leaf
		if width > 256 {
			width = 256
		}
		data := bundle(folder, leaf/256, width)
		for i := int64(0); i < width; i++ {
			length := int(binary.BigEndian.Uint16(data))
			stored, err := tlog.StoredHashes(leaf, data[2:2+length], reader)
			if err != nil {
				fail("leaf %d: %v", leaf, err)
			}
			hashes = append(hashes, stored...)
			data = data[2+length:]
			leaf++
		}
	}
	computed, err := tlog.TreeHash(size, reader)
	if err != nil || string(computed[:]) != string(root) {
		fail("the root of %d leaves differs: %v", size, err)
	}
	for leaf := int64(0); leaf < size; leaf++ {
		proof, err := tlog.ProveRecord(size, leaf, reader)
		if err != nil {
			fail("leaf %d: %v", leaf, err)
		}
		if err := tlog.CheckRecord(proof, size, computed, leaf, hashes[tlog.StoredHashIndex(0, leaf)]); err != nil {
			fail("leaf %d: %v", leaf, err)
		}
	}
	fmt.Printf("Go's note and tlog verify %d leaves of %s\n", size, verifier.Name())
}
