import CryptoPrimitives
import DERP
package import ServerStore

extension ServerConfiguration {
    /// The public key by which clients know the relay, for people. Reads the key's file and makes none.
    package func relayKeyText() throws(ServerStoreError) -> String {
        let key = try KeyFile.load(stateDirectory + "/relay.key", as: RelayKind.self)
        return key.map { "\($0.publicKey)" } ?? "made at the first start"
    }
}
