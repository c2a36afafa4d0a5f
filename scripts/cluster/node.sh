# The first process of the node: starts the control plane, then what runs pods, and creates /cluster/run/ready.
set -euo pipefail
run=/cluster/run
log=/cluster/log
address=10.99.0.1
mkdir -p $run/pki
cd $run/pki

serve() { # serve NAME COMMAND…
  local name=$1
  shift
  "$@" >"$log/$name.log" 2>&1 &
}

until_true() { # until_true COMMAND…
  for _ in $(seq 240); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.25
  done
  echo "still failing after a minute: $*"
  exit 1
}

network() {
  ip link set lo up
  # Pods are on cni0. The node needs an address that is not theirs, on an interface of its own.
  ip link add node0 type bridge
  ip address add $address/24 dev node0
  ip link set node0 up
  ip route add default dev node0
  echo 1 >/proc/sys/net/ipv4/ip_forward
}

certificate() { # certificate NAME SUBJECT [NAMES]
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt" \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "${3:-DNS:$1}")
}

kubeconfig() { # kubeconfig NAME: the certificate's data is in the file, so that it works in other mount namespaces too
  cat >"$run/$1.conf" <<KUBECONFIG
apiVersion: v1
kind: Config
clusters:
  - name: cluster
    cluster: { server: "https://$address:6443", certificate-authority-data: $(base64 -w0 ca.crt) }
users:
  - name: user
    user: { client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key") }
contexts: [{ name: context, context: { cluster: cluster, user: user } }]
current-context: context
KUBECONFIG
}

certificates() {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=cluster
  certificate apiserver /CN=kube-apiserver \
    "DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:$address"
  certificate admin /O=system:masters/CN=admin
  certificate node /O=system:nodes/CN=system:node:node "DNS:node,IP:$address"
  certificate manager /CN=system:kube-controller-manager
  certificate scheduler /CN=system:kube-scheduler
  certificate kubelet-client /O=system:masters/CN=apiserver
  openssl genrsa -out accounts.key 2048
  openssl rsa -in accounts.key -pubout -out accounts.pub
  local one
  for one in admin node manager scheduler; do kubeconfig $one; done
}

control_plane() {
  serve etcd etcd --data-dir /var/lib/etcd --unsafe-no-fsync
  serve apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address=$address --secure-port=6443 \
    --service-cluster-ip-range=10.96.0.0/16 --client-ca-file=ca.crt --tls-cert-file=apiserver.crt \
    --tls-private-key-file=apiserver.key --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file=accounts.pub --service-account-signing-key-file=accounts.key \
    --kubelet-client-certificate=kubelet-client.crt --kubelet-client-key=kubelet-client.key \
    --kubelet-preferred-address-types=InternalIP --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true
  until_true kubectl --kubeconfig $run/admin.conf get --raw /readyz
  serve controller-manager kube-controller-manager --kubeconfig=$run/manager.conf --leader-elect=false \
    --service-account-private-key-file=accounts.key --root-ca-file=ca.crt --use-service-account-credentials \
    --authentication-kubeconfig=$run/manager.conf --authorization-kubeconfig=$run/manager.conf
  serve scheduler kube-scheduler --kubeconfig=$run/scheduler.conf --leader-elect=false \
    --authentication-kubeconfig=$run/scheduler.conf --authorization-kubeconfig=$run/scheduler.conf
}

containers() {
  mkdir -p /etc/containerd /etc/cni/net.d
  cat >/etc/containerd/config.toml <<'TOML'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "cluster.test/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
TOML
  cat >/etc/cni/net.d/10-bridge.conflist <<'JSON'
{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
  serve containerd containerd
  until_true ctr version
  local archive
  for archive in /cluster/images/*.tar; do ctr --namespace k8s.io images import "$archive"; done
}

# As kubeadm configures it: probes, Secrets and DNS behave as in most clusters.
kubelet_and_proxy() {
  cat >$run/kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: { webhook: { enabled: true }, x509: { clientCAFile: $run/pki/ca.crt } }
authorization: { mode: Webhook }
tlsCertFile: $run/pki/node.crt
tlsPrivateKeyFile: $run/pki/node.key
cgroupDriver: cgroupfs
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [$address]
resolvConf: /dev/null
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
evictionHard: { nodefs.available: "1%", imagefs.available: "1%", memory.available: 100Mi }
imageGCHighThresholdPercent: 100
YAML
  serve kubelet kubelet --config=$run/kubelet.yaml --kubeconfig=$run/node.conf --hostname-override=node --node-ip=$address
  serve proxy kube-proxy --kubeconfig=$run/admin.conf --proxy-mode=iptables --hostname-override=node \
    --cluster-cidr=10.244.0.0/24 --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
    --conntrack-tcp-timeout-close-wait=0
}

dns() {
  cat >$run/Corefile <<COREFILE
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig $run/admin.conf
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    cache 30
    loadbalance
}
COREFILE
  serve coredns coredns -conf $run/Corefile
}

network
certificates 2>/dev/null
control_plane
containers
kubelet_and_proxy
dns
until_true kubectl --kubeconfig $run/admin.conf wait --for=condition=Ready node/node --timeout=1s
mkdir -p /run/trial-1 /run/trial-2 /run/valkey-data # volumes of manifests/
touch $run/ready
# As the first process, also collect the processes whose parents ended.
while true; do wait -n || sleep 1; done
