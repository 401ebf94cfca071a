#!/bin/bash
# A Kubernetes cluster of one node, of a test's own:
#   kubernetes.sh start DIR [node|api]   all of it, or the API server with its controllers alone
#   kubernetes.sh stop DIR
#   kubernetes.sh api-down DIR | api-up DIR   the API server dies, and comes back
# It leaves DIR/admin.conf (a kubeconfig), DIR/address (where pods reach this host) and DIR/bin (the programs).
# All processes live in namespaces (network, mounts, pids) made for them; when the first of these processes
# ends, the kernel ends all others. PYTHON names the interpreter whose files are put into the pods' image.
# KUBERNETES_BIN names a folder with the programs of another Kubernetes than the one that
# kubernetes-build.sh builds: kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy, kubectl.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
sbin=/usr/sbin:/sbin
export PATH=$PATH:$sbin

# nsenter forgets the folder it was called in.
inside() {
	nsenter --target "$(cat "$D/init.pid")" --mount --net --pid -- sh -c 'cd "$0" && exec "$@"' "$D" "$@"
}

# until_ok SECONDS COMMAND...
until_ok() {
	local ends=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $ends ] || { echo "kubernetes.sh: still fails: $*" >&2; return 1; }
		is_up || { echo "kubernetes.sh: the cluster has died; see $D/log" >&2; return 1; }
		sleep 0.2
	done
}

is_up() { [ -s "$D/init.pid" ] && kill -0 "$(cat "$D/init.pid")" 2>/dev/null; }

kubectl() { "$D/bin/kubectl" --kubeconfig "$D/admin.conf" "$@"; }

free_subnet() {
	local n taken
	taken=$(ip -o -4 addr show; ip -o -4 route show)
	for n in $(seq 1 200); do
		case $taken in *"10.250.$n."*) ;; *) echo "$n"; return ;; esac
	done
	return 1
}

pair() {
	openssl req -newkey rsa:2048 -nodes -subj "$2" -keyout "pki/$1.key" -out "pki/$1.csr" 2>/dev/null
	openssl x509 -req -in "pki/$1.csr" -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 30 \
		-out "pki/$1.crt" -extfile <(echo "$3") 2>/dev/null
}

kubeconfig() {
	cat >"$D/$1.conf" <<-END
		apiVersion: v1
		kind: Config
		clusters: [{name: test, cluster: {server: "https://$2:6443", certificate-authority-data: $(base64 -w0 pki/ca.crt)}}]
		users: [{name: $1, user: {token: $3}}]
		contexts: [{name: test, context: {cluster: test, user: $1}}]
		current-context: test
	END
	chmod 600 "$D/$1.conf"
}

write_keys() {
	mkdir -p pki
	openssl genrsa -out pki/sa.key 2048 2>/dev/null
	openssl rsa -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-ca -keyout pki/ca.key -out pki/ca.crt 2>/dev/null
	pair api /CN=kube-apiserver "subjectAltName=IP:127.0.0.1,IP:$address,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc"
	pair kc /CN=kube-apiserver-kubelet-client/O=system:masters ""
	printf '%s\n' 'admin,admin,1,"system:masters"' cm,system:kube-controller-manager,2 sched,system:kube-scheduler,3 \
		"node,system:node:node-1,4,\"system:nodes\"" >tokens.csv
	chmod 600 tokens.csv pki/*.key
	kubeconfig admin "$address" admin
	kubeconfig cm 127.0.0.1 cm
	kubeconfig sched 127.0.0.1 sched
	kubeconfig node 127.0.0.1 node
}

write_node() {
	mkdir -p cni
	cat >cni/10-test.conflist <<-END
		{"cniVersion": "0.4.0", "name": "test", "plugins": [
		 {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true,
		  "ipam": {"type": "host-local", "dataDir": "$D/ipam", "ranges": [[{"subnet": "10.244.0.0/16"}]],
		   "routes": [{"dst": "0.0.0.0/0"}]}},
		 {"type": "portmap", "capabilities": {"portMappings": true}}]}
	END
	cat >containerd.toml <<-END
		version = 2
		root = "$D/containerd"
		state = "$D/containerd-state"
		[grpc]
		address = "$D/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		sandbox_image = "localhost/pause:1"
		restrict_oom_score_adj = true
		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "/usr/lib/cni"
		conf_dir = "$D/cni"
	END
	cat >kubelet.yaml <<-END
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		cgroupDriver: cgroupfs
		cgroupRoot: /$group
		cgroupsPerQOS: true
		failSwapOn: false
		readOnlyPort: 0
		syncFrequency: 10s
		nodeStatusUpdateFrequency: 4s
		maxPods: 250
		serializeImagePulls: false
		registryPullQPS: 0
		eventRecordQPS: 0
		kubeAPIQPS: 50
		kubeAPIBurst: 100
		authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $D/pki/ca.crt}}
		authorization: {mode: AlwaysAllow}
		evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
		imageGCHighThresholdPercent: 100
		imageGCLowThresholdPercent: 99
	END
	if [ "$(minor)" -ge 31 ]; then echo 'failCgroupV1: false' >>kubelet.yaml; fi
}

# The programs' version: 20 of v1.20.2.
minor() { bin/kubelet --version | sed 's/.* v1\.\([0-9]*\).*/\1/'; }

# The first process of the namespaces. Reads what to start from its standard input and ends with it.
write_init() {
	cat >init.sh <<-'END'
		mount --make-rshared /
		# The kubelet writes there, whatever its root is.
		mount -t tmpfs tmpfs /var/log
		ip link set lo up
		while [ ! -e net-ready ]; do sleep 0.05; done
		trap : TERM
		while :; do sleep 1000 & wait $!; done
	END
}

# run NAME COMMAND...: in the namespaces, its output to log/NAME, its pid (as this host sees it) to NAME.pid
run() {
	local name=$1
	shift
	setsid nsenter --target "$(cat init.pid)" --mount --net --pid -- \
		sh -c 'cd "$0" && exec "$@"' "$D" "$@" </dev/null >>"log/$name" 2>&1 9>&- &
	echo $! >"$name.pid"
}

start_api() {
	run apiserver bin/kube-apiserver --etcd-servers http://127.0.0.1:2379 --bind-address 0.0.0.0 \
		--advertise-address "$address" --secure-port 6443 --tls-cert-file pki/api.crt \
		--tls-private-key-file pki/api.key --client-ca-file pki/ca.crt --token-auth-file tokens.csv \
		--authorization-mode Node,RBAC --service-cluster-ip-range 10.96.0.0/16 \
		--service-account-key-file pki/sa.pub --service-account-signing-key-file pki/sa.key \
		--service-account-issuer https://kubernetes.default.svc --allow-privileged=true \
		--kubelet-preferred-address-types InternalIP --kubelet-client-certificate pki/kc.crt \
		--kubelet-client-key pki/kc.key
	until_ok 60 kubectl get --raw /readyz
}

start() {
	local tier=${1:-node} number image prefix
	if is_up; then return; fi
	rm -rf "$D"
	mkdir -p "$D/log" "$D/etcd"
	chmod 755 "$D"
	chmod 700 "$D/etcd"
	cd "$D"
	ln -s "$("$here/kubernetes-build.sh")" bin
	group=lockgate-test-$$
	echo $group >group
	number=$(free_subnet)
	address=10.250.$number.1
	echo "$address" >api-address
	echo "10.250.$number.2" >address
	write_keys
	write_init
	setsid unshare --net --mount --propagation slave --pid --fork --mount-proc --kill-child \
		bash "$D/init.sh" </dev/null >log/init 2>&1 9>&- &
	echo $! >unshare.pid
	for _ in $(seq 100); do
		pgrep -P "$(cat unshare.pid)" >init.pid && break
		sleep 0.05
	done
	ip link add "lgtest$number" type veth peer name eth0 netns "$(cat init.pid)"
	ip addr add "10.250.$number.2/24" dev "lgtest$number"
	ip link set "lgtest$number" up
	inside ip addr add "$address/24" dev eth0
	inside ip link set eth0 up
	inside ip route add default via "10.250.$number.2"
	inside sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	touch net-ready

	run etcd etcd --data-dir etcd --listen-client-urls http://127.0.0.1:2379 --unsafe-no-fsync \
		--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
	start_api
	run controllers bin/kube-controller-manager --kubeconfig cm.conf --leader-elect=false \
		--service-account-private-key-file pki/sa.key --root-ca-file pki/ca.crt --bind-address 127.0.0.1 \
		--use-service-account-credentials --node-monitor-grace-period 20s --node-monitor-period 2s \
		--kube-api-qps 100 --kube-api-burst 200
	run scheduler bin/kube-scheduler --kubeconfig sched.conf --leader-elect=false --bind-address 127.0.0.1
	if [ "$tier" = node ]; then start_node; fi
	until_ok 60 kubectl get serviceaccount default
}

start_node() {
	local prefix each controller runtime="--container-runtime remote --pod-infra-container-image localhost/pause:1"
	if [ "$(minor)" -ge 24 ]; then runtime=; fi
	write_node
	for controller in /sys/fs/cgroup/*/; do
		if [ -e "$controller/cgroup.procs" ]; then mkdir -p "$controller/$group"; fi
	done
	prefix=$("${PYTHON:-python3}" -c 'import sys; print(sys.base_prefix)')
	"${PYTHON:-python3}" "$here/kubernetes_image.py" images "$prefix"
	run containerd containerd -c containerd.toml
	until_ok 30 ctr -a "$D/containerd.sock" version
	for each in images/*.tar; do
		inside ctr -a "$D/containerd.sock" -n k8s.io images import "$each" >/dev/null
	done
	rm -r images
	mkdir -p kubelet
	# shellcheck disable=SC2086 - words without blanks
	run kubelet bin/kubelet $runtime --config kubelet.yaml --kubeconfig node.conf --root-dir "$D/kubelet" \
		--cert-dir "$D/kubelet/pki" --container-runtime-endpoint "unix://$D/containerd.sock" --hostname-override node-1 \
		--node-ip "$address"
	until_ok 90 sh -c "'$D/bin/kubectl' --kubeconfig '$D/admin.conf' get node node-1 -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].status}' | grep -qx True"
	run proxy bin/kube-proxy --kubeconfig admin.conf --hostname-override node-1 --proxy-mode iptables \
		--cluster-cidr 10.244.0.0/16 --conntrack-max-per-core 0 --bind-address 127.0.0.1
	# The taint of a node that has just come up is taken away a moment after it is ready.
	until_ok 60 sh -c "! '$D/bin/kubectl' --kubeconfig '$D/admin.conf' get node node-1 -o jsonpath='{.spec.taints}' | grep -q ."
}

end() {
	local pid=$1 ends=$(($(date +%s) + 10))
	kill -s "$2" "$pid" 2>/dev/null || return 0
	while kill -0 "$pid" 2>/dev/null && [ "$(date +%s)" -lt $ends ]; do sleep 0.05; done
}

stop() {
	[ -d "$D" ] || return 0
	cd "$D"
	if is_up; then end "$(cat init.pid)" KILL; fi
	for tree in /sys/fs/cgroup/*/"$(cat group 2>/dev/null || echo none)"; do
		if [ -d "$tree" ]; then find "$tree" -depth -type d -exec rmdir {} + 2>/dev/null || true; fi
	done
	cd /
	rm -rf "$D"
}

D=$(mkdir -p "$2" && cd "$2" && pwd)
case $1 in
start) start "${3:-node}" ;;
stop) stop ;;
api-down)
	cd "$D"
	end "$(pgrep -P "$(cat apiserver.pid)" || cat apiserver.pid)" KILL
	;;
api-up)
	cd "$D"
	address=$(cat api-address)
	start_api
	;;
*)
	echo "usage: kubernetes.sh start|stop|api-down|api-up DIR [node|api]" >&2
	exit 2
	;;
esac
