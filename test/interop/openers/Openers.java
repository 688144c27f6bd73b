import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URL;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Base64;
import java.util.List;

/** Reads a URI a line (base64), prints what servers in Java would open of it: a line of base64 texts, a dot where one gives up. */
public class Openers {
  interface Opener {
    String open(String uri) throws Exception;
  }

  static final Path ROOT = Paths.get("/srv/public");

  static final List<Opener> OPENERS = List.of(
      uri -> Paths.get(URI.create(uri)).toString(),
      uri -> Paths.get(URI.create(uri)).normalize().toString(),
      uri -> new URI(uri).getPath(),
      uri -> new URI(uri).getRawPath(),
      uri -> new URI(uri).normalize().getPath(),
      uri -> Paths.get(new URI(uri).getPath()).normalize().toString(),
      uri -> Paths.get(URLDecoder.decode(new URI(uri).getRawPath(), StandardCharsets.UTF_8)).normalize().toString(),
      uri -> new URL(uri).getPath(),
      uri -> new URL(uri).getFile(),
      uri -> URLDecoder.decode(new URL(uri).getPath(), StandardCharsets.UTF_8),
      uri -> Paths.get(cut(uri)).normalize().toString(),
      uri -> Paths.get(URLDecoder.decode(cut(uri), StandardCharsets.UTF_8)).normalize().toString(),
      uri -> new URI(URLDecoder.decode(uri, StandardCharsets.UTF_8)).getPath(),
      uri -> ROOT.resolve(URLDecoder.decode(below(uri), StandardCharsets.UTF_8)).normalize().toString(),
      uri -> new URI("file:///srv/public/").resolve(below(uri)).getPath());

  static String cut(String uri) {
    return uri.startsWith("file://") ? uri.substring(7) : uri;
  }

  static String below(String uri) {
    String prefix = "file:///srv/public/";
    if (!uri.startsWith(prefix)) throw new IllegalArgumentException("not below the root");
    return uri.substring(prefix.length());
  }

  static String attempt(Opener opener, String uri) {
    try {
      String path = opener.open(uri);
      return path == null || path.isEmpty() ? "." : Base64.getEncoder().encodeToString(path.getBytes(StandardCharsets.UTF_8));
    } catch (Exception refused) {
      return ".";
    }
  }

  public static void main(String[] arguments) throws Exception {
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String uri = new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
      System.out.println(String.join(" ", OPENERS.stream().map(opener -> attempt(opener, uri)).toList()));
    }
  }
}
