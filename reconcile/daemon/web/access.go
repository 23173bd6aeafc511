package web

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
)

// Access says who may see the pages.
type Access struct {
	// Proxy is who stands before the pages; nil where they are for this machine
	// alone.
	Proxy *Proxy
	// Scrapers may read the metrics too.
	Scrapers []netip.Prefix
}

// Proxy authenticates people and says who they are.
type Proxy struct {
	From   []netip.Prefix // the addresses that it comes from
	Header string         // that names the person; the proxy must set it, and drop a browser's own
}

// CheckListen refuses an address at which the pages would be open to a network
// without anybody before them.
func (a *Access) CheckListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if a.Proxy != nil {
		if len(a.Proxy.From) == 0 || a.Proxy.Header == "" {
			return errors.New("a proxy needs its addresses and the header that names the person")
		}
		return nil
	}
	if !isLoopback(host) {
		return errors.New("the status pages are for this machine alone: listen on a loopback address, or name the proxy before them")
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// pages lets a request through to the pages, or answers it.
func (a *Access) pages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, text := a.judge(r); status != http.StatusOK {
			http.Error(w, text, status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *Access) judge(r *http.Request) (int, string) {
	from, known := remote(r)
	switch {
	case a.Proxy == nil && !isLoopback(hostOf(r)):
		return http.StatusMisdirectedRequest, "these pages answer to localhost only"
	case a.Proxy == nil:
	case !known || !among(a.Proxy.From, from):
		return http.StatusForbidden, "these pages are shown by their proxy only"
	case r.Header.Get(a.Proxy.Header) == "":
		return http.StatusUnauthorized, "the proxy did not say who asks"
	}
	return http.StatusOK, ""
}

// metrics lets a request through to the metrics, or answers it.
func (a *Access) metrics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, known := remote(r)
		scraper := known && (from.IsLoopback() || among(a.Scrapers, from))
		if status, text := a.judge(r); !scraper && status != http.StatusOK {
			http.Error(w, text, status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func among(prefixes []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// remote is who speaks to us, whatever the request says of it.
func remote(r *http.Request) (netip.Addr, bool) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap(), err == nil
}

func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if len(host) > 1 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	return host
}
