internal import Configuration
internal import Foundation
package import KafkaClient

extension BridgeSettings {
    /// How the Kafka clients log in by OAUTHBEARER: with tokens that a token server gives for the client credentials (RFC 6749,
    /// 4.4).
    package struct OAuth: Sendable {
        package var tokenEndpoint: String
        package var clientID: String
        package var clientSecret: Secret
        /// Empty: the server's default.
        package var scope = ""
        /// SASL extensions (RFC 7628, 3.1) that the cluster wants to see beside the token.
        package var extensions: [String: String] = [:]
        /// For every client that is made with these settings. Somebody must fill it: `KafkaTokenService`, `withKafkaTokens`.
        package let tokens = BearerTokens()

        package init(tokenEndpoint: String, clientID: String, clientSecret: Secret) {
            self.tokenEndpoint = tokenEndpoint
            self.clientID = clientID
            self.clientSecret = clientSecret
        }
    }

    /// After `kafka.properties` were read.
    mutating func readOAuth(_ reader: ConfigurationReader) {
        let endpoint = reader.string("tokenEndpoint", default: "")
        let id = reader.string("clientId", default: "")
        let secret = Secret(reader.string("clientSecret", default: ""))
        let scope = reader.string("scope", default: "")
        let extensions = reader.stringMap("extensions")
        guard !(endpoint.isEmpty && id.isEmpty && secret.isEmpty && scope.isEmpty && extensions.isEmpty) else { return }
        if let objection = Self.objection(toEndpoint: endpoint) { reader.fault("tokenEndpoint", objection) }
        if id.isEmpty { reader.fault("clientId", "is missing; give the id of the bridge at the token server") }
        if secret.isEmpty { reader.fault("clientSecret", "is missing; give the secret that belongs to clientId") }
        for (name, value) in extensions.sorted(by: { $0.key < $1.key }) {
            guard let objection = BearerToken.objection(toExtension: name, value) else { continue }
            reader.fault("extensions.\(name)", objection)
        }
        var oauth = OAuth(tokenEndpoint: endpoint, clientID: id, clientSecret: secret)
        oauth.scope = scope
        oauth.extensions = extensions
        kafka.oauth = oauth
        useOAUTHBEARER(reader)
    }

    /// `https`; for a server on this very host, say a side-car, `http` will do.
    private static func objection(toEndpoint text: String) -> String? {
        guard !text.isEmpty else {
            return "is missing; give the address of the token server, as https://login.example/oauth2/token"
        }
        guard let parts = URLComponents(string: text), let host = parts.host, !host.isEmpty else {
            return "is no address; give one such as https://login.example/oauth2/token"
        }
        guard parts.user == nil, parts.password == nil else {
            return "must not hold a name or password; give them as clientId and clientSecret"
        }
        let isHere = ["127.0.0.1", "[::1]", "localhost"].contains(host)
        return parts.scheme == "https" || isHere && parts.scheme == "http"
            ? nil : "must begin with https://, as the secret goes there (http:// only for a server on this host)"
    }

    private mutating func useOAUTHBEARER(_ reader: ConfigurationReader) {
        let names = ["sasl.mechanism", "sasl.mechanisms"]
        if let name = names.first(where: { kafka.properties[$0] != nil }), let mechanism = kafka.properties[name] {
            if mechanism != "OAUTHBEARER" {
                reader.fault("", "and kafka.properties.\(name) contradict each other; leave one of them out")
            }
        } else {
            kafka.properties["sasl.mechanism"] = "OAUTHBEARER"
        }
        let protocols = ["sasl_ssl", "sasl_plaintext"]
        if !protocols.contains(kafka.properties["security.protocol"]?.lowercased() ?? "") {
            reader.fault(
                "",
                "needs a login; set kafka.properties.security.protocol to SASL_SSL, or SASL_PLAINTEXT without TLS"
            )
        }
        let own = ["sasl.oauthbearer.method", "enable.sasl.oauthbearer.unsecure.jwt"]
        for name in own where kafka.properties[name] != nil {
            reader.fault("", "gives the tokens; leave kafka.properties.\(name) out")
        }
    }
}
