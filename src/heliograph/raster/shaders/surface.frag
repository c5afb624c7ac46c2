// Every pass of one surface. EXACT: depth and normal from the true shape, not its tessellation.
// Instances come through a texture because texel fetches, unlike buffer loads, also work in the
// helper invocations that derivatives (so: mipmaps) are made from.
struct Instance {
    vec4 row0, row1, row2;  // object_from_camera
    vec4 rgba;
    vec4 surface;           // emission, specular, shininess exponent, reflectance
    vec4 quadric;           // round part of the shape; w: 1 is unlit, -1 fades into haze
    vec4 slab;              // flat part of the shape; w: extent of its faces
    vec4 texturing;         // scale xyz; w: id bits
};
uniform sampler2D instances;
Instance instance(int i) {
    ivec2 at = ivec2(i % INSTANCES_PER_ROW * 8, i / INSTANCES_PER_ROW);
#define PART(k) texelFetch(instances, at + ivec2(k, 0), 0)
    return Instance(PART(0), PART(1), PART(2), PART(3), PART(4), PART(5), PART(6), PART(7));
}

flat in int v_instance;
#ifdef SMOOTH
in vec3 v_normal;
#endif
#ifdef MESH_UV
in vec2 v_uv;
#endif
#ifdef OBJECT_POINT
in vec3 v_object;
#endif
#if defined(ORTHO) && !defined(EXACT)
in float v_depth;
#endif
#ifdef FLAT_TEXTURE
uniform sampler2D image;
#endif
#ifdef CUBE_TEXTURE
uniform samplerCube image;
#endif

#ifdef REFLECTIVE
uniform sampler2D mirror;
#endif

#ifdef EXACT
// Where the ray enters the convex shape: metres along it, and the object-space normal there.
// The point on the axis nearest the centre is found first: B^2 - AC would cancel for far spheres.
float enter(Instance it, vec3 c, vec3 d, out vec3 normal) {
    vec3 away = sign(c);
    vec3 gap = abs(c) - it.slab.w;
    vec3 speed = -away * d;
    bvec3 ahead = bvec3(it.slab.x * gap.x > 0.0 && speed.x > 0.0,
                        it.slab.y * gap.y > 0.0 && speed.y > 0.0,
                        it.slab.z * gap.z > 0.0 && speed.z > 0.0);
    vec3 flat_t = mix(vec3(-1e30), gap / speed, ahead);
    float t = max(flat_t.x, max(flat_t.y, flat_t.z));
    normal = away * vec3(equal(flat_t, vec3(t)));
    vec3 a = it.quadric.xyz;
    float dd = dot(a * d, d);
    if (dd > 0.0) {
        float middle = -dot(a * c, d) / dd;
        vec3 k = c + middle * d;
        float round_t = middle - sqrt(max(1.0 - dot(a * k, k), 0.0) / dd);
        if (round_t > t) {
            t = round_t;
            normal = a * (c + t * d);
        }
    }
    return t;
}
#endif

#ifdef RGB
#include lighting
#endif

void main() {
    Instance it = instance(v_instance);
    vec2 where = gl_FragCoord.xy * unproject.xy + unproject.zw;
#ifdef ORTHO
    vec3 origin = vec3(where, 0.0), ray = vec3(0.0, 0.0, -1.0);
#else
    vec3 origin = vec3(0.0), ray = vec3(where, -1.0);
#endif
    vec3 normal;
#ifdef EXACT
    vec3 o = vec3(dot(it.row0, vec4(origin, 1.0)), dot(it.row1, vec4(origin, 1.0)),
                  dot(it.row2, vec4(origin, 1.0)));
    vec3 d = vec3(dot(it.row0.xyz, ray), dot(it.row1.xyz, ray), dot(it.row2.xyz, ray));
    float depth = enter(it, o, d, normal);
    vec3 object = o + depth * d;
    vec3 object_normal = normal;
#else
#ifdef ORTHO
    float depth = v_depth;
#else
    float depth = 1.0 / gl_FragCoord.w;
#endif
    normal = v_normal;
#endif
    // Normals map with the inverse transpose, which is the transposed object_from_camera.
    normal = normalize(normal.x * it.row0.xyz + normal.y * it.row1.xyz + normal.z * it.row2.xyz);
#ifdef DOUBLE_SIDED
    normal *= gl_FrontFacing ? 1.0 : -1.0;
#endif
#ifdef DEPTH
    o_depth = depth;
#endif
#ifdef NORMALS
    o_normal = vec4(normal, 1.0);
#endif
#ifdef SEGMENTATION
    o_id = floatBitsToInt(it.texturing.w);
#endif
#ifdef RGB
    vec4 colour = it.rgba;
    vec4 texel = vec4(1.0);
#ifdef FLAT_TEXTURE
#if defined(EXACT) && defined(NATURAL_UV)
    texel = texture(image, natural_uv(object, object_normal) * it.texturing.xy);
#elif defined(EXACT)
    texel = texture(image, (object.xy + 1.0) * it.texturing.xy);
#elif defined(MESH_UV)
    texel = texture(image, v_uv * it.texturing.xy);
#else
    texel = texture(image, v_(object.xy + 1.0) * it.texturing.xy);
#endif
#endif
#ifdef CUBE_TEXTURE
#ifdef EXACT
    texel = texture(image, object * it.texturing.xyz);
#else
    texel = texture(image, v_object * it.texturing.xyz);
#endif
#endif
    vec3 point = origin + depth * ray;
    // As fixed-function OpenGL does, light saturates before the texture takes its part of it.
    vec3 lit = clamp(shade(it, point, normal, normalize(-ray)), 0.0, 1.0) * texel.rgb;
#ifdef REFLECTIVE
    lit += it.surface.w * texelFetch(mirror, ivec2(gl_FragCoord.xy), 0).rgb;
#endif
#ifdef HAZE
    float fade = clamp((length(point) - haze.w) / (haze_end - haze.w), 0.0, 1.0);
    lit = mix(lit, haze.rgb, it.quadric.w < 0.0 ? fade : 0.0);
#endif
    o_rgb = vec4(clamp(lit, 0.0, 1.0), colour.a * texel.a);
#endif
}
