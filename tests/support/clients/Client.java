import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Java's own client, as it comes: it offers HTTP/2 with each request over plain HTTP. */
class Client {
    public static void main(String[] given) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int place = 2; place < given.length; place += 2) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(given[0] + given[place]))
                .header("Authorization", "Bearer " + given[1])
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(given[place + 1]))
                .build();
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.body());
        }
    }
}
