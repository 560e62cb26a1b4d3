internal import AsyncHTTPClient
internal import Ingress
internal import KafkaClient

/// What serving asks of others over HTTP.
extension BridgeCheck {
    /// Asks the token server of `kafka.oauth`, whose token `run` needs then, and fetches the published lists of senders.
    package func runOutbound() async -> [Finding] {
        let findings = try? await HTTPClient.withHTTPClient(configuration: .outbound) { client in
            await checkTokens(client) + checkSenders(client)
        }
        return findings ?? []
    }

    private func checkTokens(_ client: HTTPClient) async -> [Finding] {
        guard let oauth = settings.kafka.oauth else { return [] }
        do {
            let grant = try await TokenEndpoint(oauth, client).grant()
            oauth.tokens.use(grant.token)
            let text = "\(oauth.tokenEndpoint) gives tokens that are good for \(grant.lifetime.components.seconds) s"
            return [Finding(grade: .good, subject: "kafka.oauth", text: text)]
        } catch {
            oauth.tokens.fail("\(error)")
            return [Finding(grade: .failure, subject: "kafka.oauth", text: "\(error)")]
        }
    }

    private func checkSenders(_ client: HTTPClient) async -> [Finding] {
        let names = SenderNetworks.split(settings.http.allowedNetworks).lists
        let subject = "http.allowedNetworks"
        var findings: [Finding] = []
        for list in SenderList.allCases where names.contains(list) {
            do {
                let networks = try await SenderList.fetch(from: senderListAddress(list), by: client)
                let text = "\(list.rawValue) holds \(counted(networks.count, "network"))"
                findings.append(Finding(grade: .good, subject: subject, text: text))
            } catch {
                let text =
                    "\(list.rawValue) cannot be fetched: \(error); until it is, everybody may send; let this host reach "
                    + senderListAddress(list)
                findings.append(Finding(grade: .warning, subject: subject, text: text))
            }
        }
        if !names.isEmpty, settings.http.trustedProxies.isEmpty {
            findings.append(
                Finding(
                    grade: .warning,
                    subject: "http.trustedProxies",
                    text:
                        "is empty: if events come through an ingress or a proxy, its address is taken for the sender's and "
                        + "every event is refused; name its network there"
                )
            )
        }
        return findings
    }
}
