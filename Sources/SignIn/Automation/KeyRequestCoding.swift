package import ControlMessages

/// As the field writes it: what is to be, within `capabilities.devices.create`.
extension KeyRequest: JSONReadable {
    package init(json: JSON) throws(MessageDecodingError) {
        self.init()
        let object = try JSONObject(json: json)
        lifetime = try object.optional("expirySeconds", as: Int.self)
        if lifetime == 0 { lifetime = nil }
        guard let capabilities = try object.optional("capabilities", as: JSON.self),
            case .object(let outer) = capabilities,
            case .object(let devices)? = outer["devices"],
            case .object(let create)? = devices["create"]
        else { return }
        isReusable = try create.read("reusable", or: false)
        isEphemeral = try create.read("ephemeral", or: false)
        isPreApproved = try create.read("preauthorized", or: false)
        tags = try create.read("tags", or: [])
    }
}
