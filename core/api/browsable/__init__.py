"""The API in a browser: pages of answers, with forms, filters and links that the OpenAPI description gives.

Theory of operation. Every endpoint has two representations: JSON for programs, and a page for a person who works with
the API by hand. The page is made from three things alone, and never changes the JSON.

- `described` reads the OpenAPI description once for each process: the operations of an address, their parameters,
  bodies, examples and answers. A page asks it for everything that it says about an endpoint, so that an endpoint which
  the description has needs no page of its own.
- `links` and `answer_html` turn an answer into HTML. They walk the answer together with its schema: only a member that
  a serializer of the hub declares can become a link, by a rule that an app registers. What a runtime or a peer wrote
  stands in the schema as an object without declared members, and so has no links. The HTML is bounded.
- `facts` is what only the view knows: the name of the object, and which operations would be refused to this caller, in
  the state that the object has now. A refused operation has a sentence instead of a form.

`controls` and `forms` describe the fields of filters and actions, `curl` gives the same request for a shell, `advice`
says what a person can do about an error. `renderer` joins them into one page. The page's script, `api.js`, sends the
form as the JSON body that a program would send, with the CSRF token of the session, and puts the answer into the page.
"""
