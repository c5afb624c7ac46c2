// Every pass of one surface. EXACT: depth and normal from the true shape, not its tessellation.
#ifdef SEGMENTATION
flat in int v_id;
#endif
#ifdef VERTEX_LIT
flat in vec2 v_look;             // alpha, reflectance
in vec3 v_lit;
#if SHADOWS > 0
in vec3 v_direct[SHADOWS];
#endif
#elif defined(RGB) || defined(ALPHA)
flat in vec4 v_rgba;
flat in vec4 v_surface;          // emission, specular, shininess exponent, reflectance; in linear
                                 // light metallic, roughness, reflected head-on; or the highlight
#endif
#ifdef TEXTURED
flat in vec4 v_texturing;        // scale, cutoff
#endif
#ifdef TINTED
in vec4 v_tint;                  // linear, of the vertices
#endif
#ifdef EMISSIVE
flat in vec3 v_emissive;
#endif
#if defined(REFLECTIVE) && defined(STANDARD)
flat in float v_reflectance;
#endif
#ifdef FACE
flat in vec3 v_plane, v_facing;  // where its plane is, and its normal in camera axes
#endif
#ifdef OBJECT_FROM_CAMERA
flat in vec4 v_back0, v_back1, v_back2;
#endif
#if defined(CAPSULE) && defined(EXACT)
flat in float v_length;
#endif
#if defined(FACE) && defined(NATURAL_UV)
flat in vec3 v_axis;             // the normal in object axes
#endif
#ifdef SMOOTH
in vec3 v_normal;
#endif
#ifdef MESH_UV
in vec2 v_uv;
#endif
#ifdef OBJECT_POINT
in vec3 v_object;
#endif
#if defined(ANY_PROJECTION) && !defined(EXACT)
in float v_depth;
#endif
#ifdef FLAT_TEXTURE
flat in vec2 v_offset;
uniform sampler2D image;
#endif
#ifdef CUBE_TEXTURE
uniform samplerCube image;
#endif
#ifdef LAYERED
uniform mat3x2 uv_maps[5];       // of the texture and its layers, in the order of LAYER_...
uniform vec4 strengths;          // of the normals along u and v, and of the occlusion
#endif
#ifdef LAYER_METALLIC_ROUGHNESS
uniform sampler2D metallic_roughness;
#endif
#ifdef LAYER_NORMAL
uniform sampler2D normals;
#endif
#ifdef LAYER_OCCLUSION
uniform sampler2D occlusion;
#endif
#ifdef LAYER_EMISSIVE
uniform sampler2D glow;
#endif

#ifdef REFLECTIVE
uniform sampler2D mirror;
#endif

#if defined(EXACT) && !defined(FACE)
#ifdef DOUBLE_SIDED
// Triangles that contain a convex shape show their front where a ray enters it.
#define LEAVES (!gl_FrontFacing)
#else
#define LEAVES false
#endif
#endif

#ifdef ROUND
// Metres along a ray to where it crosses the unit sphere (or circle, for a tube), and whether it does
// not. The point nearest the middle comes first: B^2 - AC would cancel for far, small shapes.
#define CROSS_ROUND(vec)                                  \
    float cross_round(vec c, vec d, out bool missed) {    \
        float over = 1.0 / max(dot(d, d), 1e-38);         \
        float middle = -dot(d, c) * over;                 \
        vec k = c + middle * d;                           \
        float within = 1.0 - dot(k, k);                   \
        missed = within < 0.0;                            \
        float half_way = sqrt(max(within, 0.0) * over);   \
        return LEAVES ? middle + half_way : middle - half_way; \
    }
CROSS_ROUND(vec2)
CROSS_ROUND(vec3)
#endif

#if defined(EXACT) && !defined(FACE)
// Where the ray crosses the convex shape's surface: metres along it, the outward normal there in
// object axes, and whether it misses it.
float surface_crossing(vec3 c, vec3 d, out vec3 normal, out bool missed) {
    float t = LEAVES ? 1e30 : -1e30;
    normal = vec3(0.0);
    missed = false;
#ifdef SLAB
    // Flat faces at -1 and 1: the last one entered among those the ray comes towards, the first one
    // left of those it goes to. A pixel on an edge may belong to another face's triangle, so the
    // plane of its own would not do.
    vec3 away = LEAVES ? sign(d) : sign(c), gap = away * c - 1.0, speed = -away * d;
    bvec3 met = LEAVES ? notEqual(d, vec3(0.0))
        : bvec3(vec3(greaterThan(gap, vec3(0.0))) * vec3(greaterThan(speed, vec3(0.0))));
    vec3 flat_t = mix(vec3(t), gap / speed, met);
    t = LEAVES ? min(flat_t.x, min(flat_t.y, flat_t.z)) : max(flat_t.x, max(flat_t.y, flat_t.z));
    normal = away * vec3(equal(flat_t, vec3(t)));
#endif
#ifdef CAPS
    // Flat faces at z = -1 and 1: for a ray that comes from beyond them, or where it goes.
    float away = LEAVES ? sign(d.z) : sign(c.z), gap = away * c.z - 1.0, speed = -away * d.z;
    t = (LEAVES ? speed < 0.0 : gap > 0.0 && speed > 0.0) ? gap / speed : t;
    normal = vec3(0.0, 0.0, away);
#endif
#ifdef ROUND
#ifdef BALL
    t = cross_round(c, d, missed);
    normal = c + t * d;
#else
    float tube_t = cross_round(c.xy, d.xy, missed);
    bool on_tube = LEAVES ? tube_t < t : tube_t > t;
    t = on_tube ? tube_t : t;
    vec3 p = c + t * d;
    normal = on_tube ? vec3(p.xy, 0.0) : normal;
#ifdef CAPS
    missed = missed || (on_tube ? abs(p.z) : dot(p.xy, p.xy)) > 1.0;
#else
    // Beyond the ends of the tube the ray has met one of the half spheres.
    float end = clamp(p.z, -v_length, v_length);
    bool beyond = p.z != end, past;
    vec3 from = vec3(c.xy, c.z - end);
    float end_t = cross_round(from, d, past);
    t = beyond ? end_t : t;
    normal = beyond ? from + end_t * d : normal;
    missed = missed || beyond && past;
#endif
#endif
#endif
    return t;
}
#endif

#ifdef NATURAL_UV
#include shape_uv
#endif

#ifdef VERTEX_LIT
#include shadows
#elif defined(STANDARD)
#include tone
#ifdef LIT
#include standard
#endif
#elif defined(RGB)
#include lighting
#endif

#ifdef LAYER_NORMAL
// The normal that a texture gives a surface, with its x along u and its y along v.
vec3 bumped(vec3 normal, vec3 point, vec2 dx, vec2 dy, vec3 texel) {
    vec3 px = dFdx(point), py = dFdy(point);
    vec3 along_y = cross(py, normal), along_x = cross(normal, px);
    vec3 u = along_y * dx.x + along_x * dy.x, v = along_y * dx.y + along_x * dy.y;
    float size = max(dot(u, u), dot(v, v));
    float turn = sign(dot(cross(px, py), normal)) * (size > 0.0 ? inversesqrt(size) : 0.0);
    vec3 bump = texel * 2.0 - 1.0;
    bump.xy *= strengths.xy;
    return normalize(turn * (bump.x * u + bump.y * v) + bump.z * normal);
}
#endif

#ifdef SAMPLED
// Whether a ray comes farther into the shape than a pixel is wide there, so that no sample misses it.
bool surely_hit(vec3 c, vec3 d) {
#ifdef BALL
    float t = -dot(d, c) / dot(d, d);
    float within = 1.0 - length(c + t * d);
#else
#ifdef CAPS
    float half_length = 0.5;
#else
    float half_length = v_length;
#endif
    float slant = abs(d.z) > 1e-20 ? 1.0 / d.z : 1e20, one = (-half_length - c.z) * slant;
    float other = (half_length - c.z) * slant;
    float t = -dot(d.xy, c.xy) / max(dot(d.xy, d.xy), 1e-38);
    t = clamp(t, min(one, other), max(one, other));
    vec3 p = c + t * d;
#ifdef CAPS
    float within = 1.0 - max(length(p.xy), abs(p.z));
#else
    float within = 1.0 - length(vec3(p.xy, p.z - clamp(p.z, -half_length, half_length)));
#endif
#endif
    vec2 pixel = abs(unproject.xy) * (ORTHO ? 1.0 : t);
    float wide = pixel.x * length(vec3(v_back0.x, v_back1.x, v_back2.x))
        + pixel.y * length(vec3(v_back0.y, v_back1.y, v_back2.y));
    return t > ambient.w && within > 0.5 * wide;
}
#endif

void main() {
    vec2 where = gl_FragCoord.xy * unproject.xy + unproject.zw;
    vec3 origin = ORTHO ? vec3(where, 0.0) : vec3(0.0);
    vec3 ray = ORTHO ? vec3(0.0, 0.0, -1.0) : vec3(where, -1.0);
    vec3 normal;
#ifdef OBJECT_FROM_CAMERA
    // The ray in object axes.
    vec3 column_x = vec3(v_back0.x, v_back1.x, v_back2.x);
    vec3 column_y = vec3(v_back0.y, v_back1.y, v_back2.y);
    vec3 column_z = vec3(v_back0.z, v_back1.z, v_back2.z);
    vec3 o = vec3(v_back0.w, v_back1.w, v_back2.w), d = -column_z;
    if (ORTHO) o += where.x * column_x + where.y * column_y;
    else d += where.x * column_x + where.y * column_y;
#endif
#ifdef FACE
    float depth = dot(v_plane, vec3(gl_FragCoord.xy, 1.0));
    if (!ORTHO) depth = 1.0 / depth;
    normal = v_facing;
#elif defined(EXACT)
    vec3 object_normal;
    bool missed;
    // The true surface bulges out of its triangles, but not through the near plane.
    float crossing = surface_crossing(o, d, object_normal, missed);
    float depth = max(crossing, ambient.w);
#ifdef CAST
    vec2 to_window = vec2(clip_from_camera[3].z, clip_from_camera[2].z);
    gl_FragDepth = ORTHO ? to_window.x - to_window.y * depth : to_window.x / depth - to_window.y;
    missed = missed || gl_FragDepth < 0.0 || LEAVES && crossing < ambient.w;
    if (missed) discard;
#elif defined(SAMPLED)
    // Triangles contain the shape, and are as near as its surface: which samples see it?
    const vec2 places[] = PLACES;
    int number = surely_hit(o, d) ? 0 : places.length(), seen = number == 0 ? -1 : 0;
    for (int i = 0; i < number; ++i) {
        vec2 aside = places[i] * unproject.xy;
        vec3 turn = aside.x * column_x + aside.y * column_y, side;
        float at = surface_crossing(ORTHO ? o + turn : o, ORTHO ? d : d + turn, side, missed);
        seen |= int(!missed && !(LEAVES && at < ambient.w)) << i;
    }
    if (seen == 0) discard;
    gl_SampleMask[0] = seen;
#endif
    normal = normalize(object_normal.x * v_back0.xyz + object_normal.y * v_back1.xyz
                       + object_normal.z * v_back2.xyz);
#else
#ifdef ANY_PROJECTION
    float depth = ORTHO ? v_depth : 1.0 / gl_FragCoord.w;
#else
    float depth = 1.0 / gl_FragCoord.w;
#endif
#ifdef SMOOTH
    normal = normalize(v_normal);
#else
    normal = vec3(0.0, 0.0, 1.0);
#endif
#endif
#ifdef DOUBLE_SIDED
    normal *= gl_FrontFacing ? 1.0 : -1.0;
#endif
#ifdef DEPTH
    o_depth = depth;
#endif
#ifdef DISTANCE
    o_distance = depth * length(ray);
#endif
#ifdef NORMALS
    o_normal = vec4(normal, 1.0);
#endif
#ifdef SEGMENTATION
    o_id = v_id;
#endif
#if defined(RGB) || defined(ALPHA) || defined(CUTOUT)
    vec4 texel = vec4(1.0);
#if defined(EXACT) && defined(TEXTURED)
    vec3 object = o + depth * d;
#if defined(FACE) && defined(NATURAL_UV)
    vec3 object_normal = v_axis;
#endif
#endif
#ifdef FLAT_TEXTURE
#if defined(EXACT) && defined(NATURAL_UV)
#ifdef THREE_JS
    mat2x3 slope;
    vec2 uv = shape_uv(object, object_normal, slope);
#else
    vec2 uv = shape_uv(object, object_normal);
#endif
#elif defined(EXACT)
    vec2 uv = vec2(1.0 + object.x, 1.0 - object.y);
#elif defined(MESH_UV)
    vec2 uv = v_uv;
#else
    vec2 uv = vec2(1.0 + v_object.x, 1.0 - v_object.y);
#endif
#if defined(LAYERED) || (defined(EXACT) && defined(NATURAL_UV))
#ifdef THREE_JS
    vec2 dx = dFdx(object) * slope, dy = dFdy(object) * slope;
#else
    vec2 dx = dFdx(uv), dy = dFdy(uv);
#ifdef NATURAL_UV
    dx -= round(dx);  // where a texture has gone once round it jumps back by 1
    dy -= round(dy);
#endif
#endif
    dx *= v_texturing.xy;
    dy *= v_texturing.xy;
    uv = uv * v_texturing.xy + v_offset;
#ifdef LAYERED
#define LOOK_UP(map, i) \
    textureGrad(map, uv_maps[i] * vec3(uv, 1.0), mat2(uv_maps[i]) * dx, mat2(uv_maps[i]) * dy)
    texel = LOOK_UP(image, 0);
#else
    texel = textureGrad(image, uv, dx, dy);
#endif
#else
    texel = texture(image, uv * v_texturing.xy + v_offset);
#endif
#endif
#ifdef CUBE_TEXTURE
#ifdef EXACT
#ifdef CAPSULE
    // As in the natural coordinates, each half sphere has its own middle.
    float end = clamp(object.z, -v_length, v_length);
    vec3 on_tube = vec3(object.xy, object.z / max(v_length, 1e-6)) * v_texturing.xyz;
    vec3 on_end = vec3(object.xy, object.z - end) * v_texturing.xyx;
    texel = texture(image, object.z == end ? on_tube : on_end);
#else
    texel = texture(image, object * v_texturing.xyz);
#endif
#else
    texel = texture(image, v_object * v_texturing.xyz);
#endif
#endif
#endif
#ifdef TINTED
    texel *= v_tint;
#endif
#ifdef CUTOUT
    if (texel.a < v_texturing.w) discard;
#endif
#ifdef VERTEX_LIT
    float alpha = v_look.x * texel.a;
#elif defined(RGB) || defined(ALPHA)
    float alpha = v_rgba.a * texel.a;
#endif
#ifdef ALPHA
    o_alpha = vec4(1.0, 1.0, 1.0, alpha);  // white, blended as colour is: what it hides
#endif
#ifdef RGB
#define POINT (origin + depth * ray)
#ifdef STANDARD
    vec3 rgb = v_rgba.rgb * texel.rgb, lit = rgb, bent = normal;
#ifdef LAYER_NORMAL
    bent = bumped(normal, POINT, mat2(uv_maps[LAYER_NORMAL]) * dx, mat2(uv_maps[LAYER_NORMAL]) * dy,
                  LOOK_UP(normals, LAYER_NORMAL).rgb);
#endif
#ifdef LIT
    vec4 material = v_surface;
    float turning = 0.0, open = 1.0;
#if defined(METALLIC) && !defined(FACE) && !defined(SLAB)
    vec3 turn = max(abs(dFdx(normal)), abs(dFdy(normal)));
    turning = max(turn.x, max(turn.y, turn.z));
#ifdef CAPS
    // Not from a tube to its end, which in three.js are triangles apart.
    turning *= float(fwidth(float(abs(object_normal.z) > 0.99)) == 0.0);
#endif
#endif
#ifdef LAYER_METALLIC_ROUGHNESS
    material.xy *= LOOK_UP(metallic_roughness, LAYER_METALLIC_ROUGHNESS).bg;
#endif
#ifdef LAYER_OCCLUSION
    open += strengths.z * (LOOK_UP(occlusion, LAYER_OCCLUSION).r - 1.0);
#endif
    lit = shade(rgb, material, POINT, normal, bent, normalize(-ray), turning, open);
#ifdef EMISSIVE
    vec3 glowing = v_emissive;
#ifdef LAYER_EMISSIVE
    glowing *= LOOK_UP(glow, LAYER_EMISSIVE).rgb;
#endif
    lit += glowing;
#endif
#endif
#ifdef REFLECTIVE
    lit += v_reflectance * decoded(texelFetch(mirror, ivec2(gl_FragCoord.xy), 0).rgb);
#endif
#ifdef SHOW_NORMAL
    lit = bent * 0.5 + 0.5;
#elif defined(SHOW_DEPTH)
    float near = ambient.w, far = levels.z;
    lit = vec3(ORTHO ? (far - depth) / (far - near) : 1.0 - far / (far - near) * (1.0 - near / depth));
#else
    lit = shown(lit);
#endif
#else
    // As fixed-function OpenGL does, light saturates before the texture takes its part of it.
#ifdef VERTEX_LIT
    vec3 lit = v_lit;
    float reflectance = v_look.y;
#define ADD_SHADOWED(i) lit += lit_part(i, POINT) * v_direct[i];
    SHADOWED_LIGHTS
    lit *= texel.rgb;
#else
    vec3 lit = clamp(shade(v_rgba.rgb, v_surface, POINT, normal, normalize(-ray)), 0.0, 1.0) * texel.rgb;
    float reflectance = v_surface.w;
#endif
#ifdef EMISSIVE
    lit += v_emissive;
#endif
#ifdef REFLECTIVE
    lit += reflectance * texelFetch(mirror, ivec2(gl_FragCoord.xy), 0).rgb;
#endif
#endif
#ifdef HAZE
    lit = mix(lit, haze.rgb, haze_along(mat3(world_from_camera) * POINT));
#endif
    o_rgb = vec4(clamp(lit, 0.0, 1.0), alpha);
#endif
}
