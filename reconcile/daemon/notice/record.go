package notice

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/veonahealth/charter/reconcile/daemon"
)

// record is what each target was told and has not been told the end of: incidents
// by id.
type record map[string]map[string]daemon.Incident

// maxRecord bounds the file in bytes.
const maxRecord = 64 << 20

// readRecord reads what was told. A file that cannot be read is as none.
func readRecord(file string, log *slog.Logger) record {
	r := record{}
	if file == "" {
		return r
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r
	}
	if err == nil {
		err = errors.Join(json.NewDecoder(io.LimitReader(f, maxRecord)).Decode(&r), f.Close())
	}
	if err != nil {
		log.Warn("what was told before is not known", "error", err)
		return record{}
	}
	return r
}

// write keeps what was told, whole or not at all.
func (r record) write(file string) error {
	if file == "" {
		return nil
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".notices-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// news are what a target has not been told: what began, what says something else,
// and what is over.
func (r record) news(target string, incidents []daemon.Incident) []News {
	told := r[target]
	open := map[string]bool{}
	var news []News
	for _, i := range incidents {
		open[i.ID] = true
		before, known := told[i.ID]
		switch {
		case !known:
			news = append(news, News{Opened, i})
		case before.Text != i.Text && i.Kind != string(daemon.Unreadable) && i.Tenant != "": // else it is told in other words
			news = append(news, News{Changed, i})
		}
	}
	for id, i := range told {
		if !open[id] {
			news = append(news, News{Closed, i})
		}
	}
	slices.SortStableFunc(news, func(a, b News) int {
		return strings.Compare(a.Tenant+"\x00"+a.ID, b.Tenant+"\x00"+b.ID)
	})
	return news
}

// told notes that a target knows of just these.
func (r record) told(target string, incidents []daemon.Incident) {
	r[target] = make(map[string]daemon.Incident, len(incidents))
	for _, i := range incidents {
		r[target][i.ID] = i
	}
}

// withoutURL takes the address, which may be a secret, from an error of a
// request.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
