#!/bin/bash
# Builds the parts of a Kubernetes cluster from the source package of this Debian, and a small image with
# Python, into a cache that later runs find: kubernetes-build.sh [JOBS]
# Prints the folder of the programs. Needs root, apt, 3 GB of disk while it builds; minutes on two cores.
# Where KUBERNETES_BIN names a folder of programs, nothing is built, and those are the ones.
set -euo pipefail
umask 022

jobs=${1:-2}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lockgate-tests/kubernetes
programs="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl"
build_needs="golang-go jq make rsync dpkg-dev golang-github-modern-go-reflect2-dev"
run_needs="etcd-server containerd runc containernetworking-plugins catatonit conntrack iptables ethtool
 iproute2 openssl"

install_missing() {
	local package missing=""
	for package in "$@"; do
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
			missing="$missing $package"
	done
	[ -z "$missing" ] && return
	apt-get -o DPkg::Lock::Timeout=300 update >/dev/null
	# shellcheck disable=SC2086 - names without blanks
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
		$missing >/dev/null
}

# apt with source packages switched on, in lists of its own: the host's settings stay as they are.
apt_source() {
	apt-get -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" \
		-o Dir::State::lists="$work/lists" "$@"
}

download() {
	local each
	mkdir -p "$work/sources" "$work/lists/partial"
	for each in /etc/apt/sources.list.d/*.sources; do
		sed 's/^Types:.*/Types: deb-src/' "$each" >"$work/sources/${each##*/}"
	done
	if [ -s /etc/apt/sources.list ]; then
		sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$work/sources/main.list"
	fi
	apt_source update >/dev/null
	cd "$work"
	apt_source source --download-only kubernetes >/dev/null
	dpkg-source --no-check -x kubernetes_*.dsc "$work/source" >/dev/null
}

compile() {
	local goes="$work/source/vendor/github.com/modern-go" each what=""
	# The vendored reflect2 reads the layout of maps of Go before 1.18; with it every component crashes.
	rm -rf "$goes/reflect2"
	cp -r /usr/share/gocode/src/github.com/modern-go/reflect2 "$goes/"
	rm -f "$goes"/reflect2/*_test.go
	export HOME=$work GOPATH=$work/go GOCACHE=$work/gocache GO111MODULE=off CGO_ENABLED=0
	export GOMAXPROCS=$jobs GOFLAGS="-p=$jobs"
	mkdir -p "$GOPATH/src/k8s.io"
	ln -sfn "$work/source" "$GOPATH/src/k8s.io/kubernetes"
	cd "$GOPATH/src/k8s.io/kubernetes"
	for each in $programs; do what="$what cmd/$each"; done
	nice make WHAT="$what" >"$work/build.log" 2>&1 || {
		tail -n 20 "$work/build.log" >&2
		exit 1
	}
}

mkdir -p "$cache"
exec 9>"$cache/guard"
flock 9
# shellcheck disable=SC2086
install_missing $run_needs
if [ -n "${KUBERNETES_BIN:-}" ]; then
	realpath -e "$KUBERNETES_BIN"
	exit
fi
if [ ! -e "$cache/bin/ready" ]; then
	# shellcheck disable=SC2086
	install_missing $build_needs
	work=$cache/build
	rm -rf "$work" "$cache/bin"
	mkdir -p "$work" "$cache/bin"
	download
	compile
	for each in $programs; do
		install -m 755 "$(readlink -f "$work/source/_output/bin/$each")" "$cache/bin/"
	done
	"$cache/bin/kubectl" version --client --short
	touch "$cache/bin/ready"
	chmod -R u+w "$work"
	rm -rf "$work"
fi
echo "$cache/bin"
