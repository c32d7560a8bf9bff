/// The release of both programs (semantic versioning).
public enum SkeinVersion {
    public static let text = "0.1.0"
}
